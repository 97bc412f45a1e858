<?php
function run($message, $context) {}
