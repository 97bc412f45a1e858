<?php
function run($m, $c) {
  $g = $c->config;
  $m->value = ($m->value * $g->factor + $g->offset) % 1000003;
  $m->path = $m->path . "/" . $g->id;
  $m->versions = $m->versions . $g->version;
  if ($g->counts) {
    $m->count = $c->get("n", 0) + 1;
    $c->set("n", $m->count);
  }
  return $m;
}
