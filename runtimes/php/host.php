<?php // The host of PHP modules (runtimes/PROTOCOL.md): one loop reads frames, runs turns and commits them.
declare(strict_types=1);
namespace Flow;

require __DIR__ . '/flow.php';

const DATA = 4, HELLO = 16, CONTEXT = 17, ERROR = 18, LOG = 19, TURN = 20, COMMIT = 21, PAUSED = 22, RESULT = 23, PONG = 25;
const REDELIVERED = 1, HEADERS = 2, ANNOUNCE = 4, DELETED = 8, HELD = 16, NO_INDEX = 0xffffffff, EVERY_SLOT = 65535;
const SHOWN = STRICT | JSON_INVALID_UTF8_SUBSTITUTE; // what only people read

function now(): int { return intdiv(hrtime(true), 1000); }

final class Host {
    private mixed $in, $out;
    private \SplQueue $todo; // calls
    private array $slots = [], $done = []; // modules; calls that are not committed
    private int $current = EVERY_SLOT, $bytes = 0, $looked = 0, $committed = 0, $loads = 0;

    public function __construct(string $input, string $output) {
        [$this->in, $this->out, $this->todo] = [fopen($input, 'rb'), fopen($output, 'wb'), new \SplQueue()];
        stream_set_chunk_size($this->in, 64 << 10);
        ob_start(fn ($text) => $this->log('info', $text), 1, 0); // what modules print
        $this->frame(HELLO, 0, json_encode(['protocol' => 1, 'runtime' => 'php', 'version' => PHP_VERSION, 'pid' => getmypid()]));
    }

    public function run(): never {
        while (true) {
            if ($this->bytes >= 64 << 10 || now() - $this->committed >= 8_000) $this->commit();
            if ($this->todo->isEmpty() || now() - $this->looked >= 5_000) $this->look();
            if (!$this->todo->isEmpty()) $this->step($this->todo->dequeue());
        }
    }

    public function log(string $level, string $text): string {
        $text = json_encode(['level' => $level, 'text' => rtrim($text)], SHOWN);
        $this->frame(LOG, $this->current, $text);
        return ''; // which is then printed
    }

    private function frame(int $kind, int $slot, string $body = '', int $flags = 0, int $skip = 0, int $count = 0, int $first = 0): void {
        fwrite($this->out, pack('VCCvVVP', strlen($body), $kind, $flags, $slot, $skip, $count, $first) . $body);
    }

    private function look(): void { // takes all frames that are there; with nothing to do, waits for one
        [$ready, $none] = [[$this->in], null];
        while (($is = stream_select($ready, $none, $none, 0)) || $this->todo->isEmpty()) {
            if (!$is) $this->commit();
            $this->take();
            $ready = [$this->in];
        }
        $this->looked = now();
    }

    private function read(int $size): string {
        $data = $size > 0 ? stream_get_contents($this->in, $size) : '';
        return strlen($data) === $size ? $data : exit(1);
    }

    private function take(): void { // everything but DATA is done at once, which is between two turns
        extract(unpack('Vsize/Ckind/Cflags/vnumber/Vskip/Vcount/Pfirst', $this->read(24)));
        if ($size > 64 << 20) exit(3);
        [$body, $slot] = [$this->read($size), $this->slots[$number] ?? null];
        $answer = match ($kind) {
            1 => $this->load($number, decode($body, 1000)),
            2, 6 => $this->forget($slot ? [$slot] : $this->slots), // UNLOAD, PAUSE
            3 => $slot->wires = json_decode($body, true),
            DATA => $this->queue($body, $flags, $number, $skip, $count, $first),
            5, 9 => null, // PULL (there are no sources), PING
            7 => $this->call($slot, decode($body, 1000)),
            8 => exit($this->commit()),
            default => exit(3),
        };
        if ($kind !== DATA) $this->commit();
        $reply = [1 => RESULT, 2 => RESULT, 6 => PAUSED, 7 => RESULT, 9 => PONG][$kind] ?? null;
        if ($reply) $this->frame($reply, $number, $reply === RESULT ? json_encode($answer, SHOWN) : '', first: $first);
    }

    private function load(int $number, object $load): array {
        $space = 'Module' . ++$this->loads; // a namespace, and a folder: nobody else sees what is in it
        $this->slots[$this->current = $number] = $slot = (object) ['host' => $this, 'number' => $number, 'load' => $load];
        [$slot->space, $slot->held, $slot->wires] = [$space, false, []];
        $this->restore($slot, $load->context);
        try {
            define("$space\\STDERR", fopen('php://output', 'w'));
            $files = [$load->name => $load->code] + (array) $load->files;
            $paths = array_map(fn ($name) => $this->place((string) $name, $space, $files[$name]), array_keys($files));
            (static fn ($path) => require $path)($paths[0]);
            $slot->has = array_filter(['run', 'start', 'stop', 'migrate'], fn ($name) => function_exists("$space\\$name"));
            if (!array_intersect(['run', 'start'], $slot->has)) throw new \Exception('it defines neither run nor start');
            return ['ok' => true, 'hooks' => array_values(array_diff($slot->has, ['run']))];
        } catch (\Throwable $error) {
            return ['ok' => false, 'error' => $this->describe($error)];
        }
    }

    private function place(string $name, string $space, string $code): string { // puts a file where it can be required
        $path = sys_get_temp_dir() . "/$space/$name";
        if (!is_dir(dirname($path))) mkdir(dirname($path), 0700, true);
        $strict = str_contains($code, 'declare(strict_types=1);') ? 'declare(strict_types=1);' : ''; // has to be first
        $known = array_filter(get_declared_classes(), fn ($class) => preg_match('/^\w+$/', $class) && str_contains($code, $class));
        $use = 'use ' . implode(', ', ['Flow', ...$known]) . ';';
        file_put_contents($path, "<?php $strict namespace $space; $use" . preg_replace('/^<\?php\b/', '', str_replace($strict, '', $code)));
        return $path;
    }

    private function restore(object $slot, object $context): void {
        [$slot->store, $slot->bytes] = [[], 0];
        foreach ((array) $context as $key => $value) (new Context($slot, '', '', 0))->put($key, encode($value));
    }

    private function forget(array $slots): array { // what they have not begun
        $this->commit();
        foreach ($slots as $slot) $slot->held = false;
        $todo = new \SplQueue();
        foreach ($this->todo as $call) if (!in_array($call->slot, $slots, true)) $todo[] = $call;
        $this->todo = $todo;
        return ['ok' => true];
    }

    private function call(object $slot, object $body): array {
        if (isset($body->context)) $this->restore($slot, $body->context);
        if (!in_array($body->hook, $slot->has)) return ['ok' => true];
        $id = "{$slot->load->module}.$body->hook#0";
        $this->turn($call = new Context($slot, $body->hook, $id, 0, message: $body->from_version ?? null, hook: $body->hook));
        if (!$call->error) return ['ok' => true, 'source' => false];
        $this->done = []; // a hook that fails leaves nothing, also no ERROR
        return ['ok' => false, 'error' => $this->describe($call->error)];
    }

    private function queue(string $body, int $flags, int $channel, int $skip, int $count, int $first): void {
        foreach ($this->slots as $slot) if (isset($slot->wires['in'][$channel])) break;
        if ($slot->held) return;
        $cut = $flags & HEADERS ? strpos($body, ",\n\n") : 0;
        $headers = $cut ? array_slice(json_decode(substr($body, 1, $cut - 1), true), $skip, $count) : [];
        if ($cut) $body = substr($body, $cut + 3, -1);
        try {
            $messages = array_slice(decode($body, DEPTH + 1), $skip, $count);
        } catch (\JsonException) { // each for itself, in its turn
            $texts = array_slice(explode(",\n", substr($body, 1, -1)), $skip, $count);
            $messages = array_map(fn ($json) => new Text($json), $texts);
        }
        [$port, $wire] = $slot->wires['in'][$channel];
        foreach ($messages as $i => $message) {
            [$own, $id] = [$headers[$i] ?? [], $headers[$i]['id'] ?? "$wire#" . $first + $i];
            unset($own['id']);
            $this->todo[] = new Context($slot, $port, $id, $first + $i, $own, $message,
                redelivered: ($flags & REDELIVERED) > 0, announced: ($flags & ANNOUNCE) > 0);
        }
    }

    private function step(Context $call): void {
        if ($call->announced) $this->commit();
        if ($call->announced) $this->frame(TURN, $call->slot->number, first: $call->number);
        $this->turn($call);
        $call->slot->held = $held = $call->slot->load->retry && $call->error;
        $call->consumed = !$held;
        $this->bytes += $call->bytes;
        if ($held) $this->forget([$call->slot]);
        $call->slot->held = $held; // also what comes later, until PAUSE
        if ($call->announced) $this->commit();
    }

    // The call, then everything fused behind it, depth-first.
    private function turn(Context $root): void {
        [$stack, $done] = [[$root], []];
        while ($call = array_pop($stack)) {
            [$started, $this->current] = [now(), $call->slot->number];
            try {
                $this->handle($call);
                array_push($stack, ...array_reverse($this->behind($call, $root)));
            } catch (TurnTooLarge $error) { // nothing of the turn stands
                foreach ([$call, ...array_reverse($done)] as $one) $one->undo($error);
                [$call, $stack, $done] = [$root, [], []];
            } catch (\Throwable $error) {
                $call->undo($error);
            }
            $call->microseconds = now() - $started;
            $done[] = $call;
        }
        array_push($this->done, ...$done);
    }

    private function handle(Context $call): void {
        if ($call->message instanceof Text) $call->message = decode($call->message->json);
        $message = $call->message ?? Json::Null;
        $function = "{$call->slot->space}\\$call->hook";
        $value = $call->hook === 'run' ? $function($message, $call) : $function($call, $call->message);
        if ($call->hook === 'start' && $value instanceof \Generator) throw new \LogicException('PHP modules cannot be sources');
        if ($call->hook === 'run') foreach ($value instanceof \Generator ? $value : [$value] as $item) $call->send('out', $item);
    }

    private function behind(Context $call, Context $root): array {
        $behind = [];
        foreach ($call->sends as $i => [$port, $json, $headers]) {
            foreach ($call->slot->wires['out'][$port]['fused'] ?? [] as [$number, $target]) {
                $id = "$call->messageId/$call->moduleId.$i";
                $behind[] = new Context($this->slots[$number], $target, $id, $call->number, $headers, new Text($json), $root);
            }
        }
        return $behind;
    }

    private function commit(): void { // what is done, as one transaction
        [$rows, $sent, $changed] = [[], [], []];
        foreach ($this->done as $call) {
            $slot = $call->slot;
            $row = &$rows[$slot->number];
            $row ??= [$slot->number, 0, 0, 0, 0, 0, 0, 0, 0];
            if ($call->error) $this->fail($call, $row[1]);
            foreach ([1 => $call->consumed, 2 => $call->hook === 'run', 3 => $call->error !== null] as $at => $is) $row[$at] += (int) $is;
            [$row[7], $row[8]] = [$row[7] + $call->microseconds, $row[8] + (int) ($call->root !== null)];
            foreach ($call->sends as $i => [$port, $json, $headers]) {
                $out = $slot->wires['out'][$port] ?? null;
                $row[$out ? 5 : 6]++;
                if ($out['ids'] ?? false) $headers['id'] = "$call->messageId/$call->moduleId.$i";
                if (isset($out['channel'])) $sent[$out['channel']][] = [$json, $headers ? json_encode($headers, STRICT) : 'null'];
            }
            foreach ($call->before as $key => $_) $changed["$slot->number $key"] = [$slot, (string) $key];
        }
        foreach ($sent as $channel => $messages) {
            [$texts, $headers] = [array_column($messages, 0), array_column($messages, 1)];
            $with = array_unique($headers) !== ['null'];
            $body = ($with ? '[[' . implode(",\n", $headers) . "],\n\n[" : '[') . implode(",\n", $texts) . ($with ? ']]' : ']');
            $this->frame(DATA, $channel, $body, $with ? HEADERS : 0, count: count($texts));
        }
        foreach ($changed as [$slot, $key]) {
            $json = $slot->store[$key] ?? null;
            $this->frame(CONTEXT, $slot->number, $key . $json, $json === null ? DELETED : 0, strlen($key));
        }
        if ($rows) $this->frame(COMMIT, 0, json_encode(array_values($rows)));
        [$this->done, $this->bytes, $this->committed] = [[], 0, now()];
    }

    private function fail(Context $call, int $index): void {
        $info = ['error' => $this->describe($call->error), 'port' => $call->port, 'id' => $call->messageId];
        $info = json_encode($info + ['headers' => $call->headers ?: null], SHOWN);
        $message = $call->root ? encode($call->message) : '';
        $flags = $call->slot->held ? HELD : 0;
        $this->frame(ERROR, $call->slot->number, $info . $message, $flags, strlen($info), $call->root ? NO_INDEX : $index, $call->number);
    }

    private function describe(\Throwable $error): array {
        $type = $error instanceof \JsonException ? 'DataError' : (new \ReflectionClass($error))->getShortName();
        $shown = ['type' => $type, 'message' => $error->getMessage(), 'stack' => $error->getTraceAsString()];
        foreach ([['file' => $error->getFile(), 'line' => $error->getLine()], ...$error->getTrace()] as $frame) {
            if (preg_match('~/Module\d+/(.+)~', $frame['file'] ?? '', $user)) return $shown + ['file' => $user[1], 'line' => $frame['line']];
        }
        return $shown;
    }
}

set_error_handler(function (int $level, string $text, string $file, int $line) {
    return error_reporting() & $level ? throw new \ErrorException($text, 0, $level, $file, $line) : false;
}, E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
(new Host(...array_slice($argv, -2)))->run();
