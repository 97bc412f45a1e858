<?php
function run($m, $c) {
  $g = $c->config;
  $p = $m->path;
  $m->versions = $m->versions . $g->version;
  for ($j = 0; $j < 2; $j++) { $x = clone $m; $x->path = $p . "/" . $g->id . "." . $j; yield $x; }
}
