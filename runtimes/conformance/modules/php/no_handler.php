<?php
function other($message, $context) { return $message; }
