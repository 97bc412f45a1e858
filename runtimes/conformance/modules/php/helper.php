<?php
const NAME = "helper-one";
