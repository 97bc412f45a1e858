<?php // The host of PHP modules (runtimes/PROTOCOL.md): one loop reads frames, runs turns and commits them.
declare(strict_types=1);
namespace Flow;

require __DIR__ . '/flow.php';

const DATA = 4, HELLO = 16, CONTEXT = 17, ERROR = 18, LOG = 19, TURN = 20, COMMIT = 21, PAUSED = 22, RESULT = 23, PONG = 25;
const REDELIVERED = 1, HEADERS = 2, ANNOUNCE = 4, DELETED = 8, HELD = 16, NO_INDEX = 0xffffffff, EVERY_SLOT = 65535;
const SHOWN = STRICT | JSON_INVALID_UTF8_SUBSTITUTE; // what only people read

function now(): int { return intdiv(hrtime(true), 1000); }

final class Host {
    private array $slots = [], $todo = [], $done = []; // modules; calls; calls that are not committed
    private int $current = EVERY_SLOT, $bytes = 0, $committed = 0, $loads = 0;

    public function __construct(private mixed $in, private mixed $out) {
        ob_start(fn ($text) => $this->log('info', $text), 64 << 10, PHP_OUTPUT_HANDLER_FLUSHABLE); // what modules print
        $this->frame(HELLO, 0, json_encode(['protocol' => 1, 'runtime' => 'php', 'version' => PHP_VERSION, 'pid' => getmypid()]));
        for ($looked = 0, $none = null; $ready = [$this->in];) {
            if ($this->bytes >= 64 << 10 || now() - $this->committed >= 8_000) $this->commit();
            $look = !$this->todo || now() - $looked >= 5_000;
            $is = $look && stream_select($ready, $none, $none, 0);
            if (!$is && !$this->todo) $this->commit(); // and wait for a frame
            if ($look && !$is) $looked = now();
            $is || !$this->todo ? $this->take() : $this->step(array_shift($this->todo));
        }
    }

    public function log(string $level, string $text): string {
        $body = json_encode(['level' => $level, 'text' => rtrim($text)], SHOWN);
        if (trim($text) !== '') $this->frame(LOG, $this->current, $body);
        return ''; // for PHP to print
    }

    private function frame(int $kind, int $slot, string $body = '', int $flags = 0, int $skip = 0, int $count = 0, int $first = 0): void {
        fwrite($this->out, pack('VCCvVVP', strlen($body), $kind, $flags, $slot, $skip, $count, $first) . $body);
    }

    private function take(): void { // everything but DATA is done at once, which is between two turns
        $header = stream_get_contents($this->in, 24);
        if (strlen($header) < 24) exit(1);
        extract(unpack('Vsize/Ckind/Cflags/vnumber/Vskip/Vcount/Pfirst', $header));
        if ($size > 64 << 20) exit(3);
        [$body, $slot] = [stream_get_contents($this->in, $size), $this->slots[$number] ?? null];
        if ($kind !== DATA && $kind !== 9) $this->commit();
        $answer = match ($kind) {
            1 => $this->load($number, decode($body, 1000)),
            2, 6 => $this->forget($slot ? [$slot] : $this->slots), // UNLOAD, PAUSE
            3 => $slot->wires = json_decode($body, true),
            DATA => $this->queue($body, $flags, $number, $skip, $count, $first),
            5, 9 => null, // PULL (there are no sources), PING
            7 => $this->call($slot, decode($body, 1000)),
            8 => exit(0),
            default => exit(3),
        };
        $reply = [1 => RESULT, 2 => RESULT, 6 => PAUSED, 7 => RESULT, 9 => PONG][$kind] ?? null;
        if ($kind === 2) unset($this->slots[$number]);
        if ($kind === 7) $this->commit();
        if ($reply) $this->frame($reply, $number, $reply === RESULT ? json_encode($answer, SHOWN) : '', first: $first);
    }

    private function load(int $number, object $load): array {
        $space = 'Module' . ++$this->loads; // a namespace, and a folder: nobody else sees what is in it
        $slot = ['host' => $this, 'number' => $number, 'load' => $load, 'space' => $space, 'wires' => [], 'held' => false];
        $this->slots[$this->current = $number] = $slot = (object) $slot;
        $this->restore($slot, $load->context);
        try {
            define("$space\\STDERR", fopen('php://output', 'w'));
            foreach ((array) $load->files as $name => $code) $this->place($space, $name, $code);
            (static fn ($path) => require $path)($this->place($space, $load->name, $load->code));
            $slot->has = array_filter(['run', 'start', 'stop', 'migrate'], fn ($name) => function_exists("$space\\$name"));
            if (!array_intersect(['run', 'start'], $slot->has)) throw new \Exception('it defines neither run nor start');
            return ['ok' => true, 'hooks' => array_values(array_diff($slot->has, ['run']))];
        } catch (\Throwable $error) {
            return ['ok' => false, 'error' => $this->describe($error)];
        }
    }

    private function place(string $space, string $name, string $code): string { // puts a file where it can be required
        $strict = str_contains($code, 'declare(strict_types=1);') ? 'declare(strict_types=1);' : ''; // has to be first
        $known = preg_grep('/^\w+$/', [...get_declared_classes(), ...get_declared_interfaces()]); // seen as if in no namespace
        $known = array_filter($known, fn ($name) => preg_match("/\b$name\b/", $code) && !preg_match("/^use $name;/m", $code));
        $head = "<?php $strict namespace $space; use Flow; " . implode(array_map(fn ($name) => "use $name; ", $known));
        $path = sys_get_temp_dir() . "/$space/$name";
        if (!is_dir(dirname($path))) mkdir(dirname($path), 0700, true);
        file_put_contents($path, $head . preg_replace('/^<\?php\b/', '', str_replace($strict, '', $code)));
        return $path;
    }

    private function restore(object $slot, object $context): void {
        [$slot->store, $slot->bytes] = [[], 0];
        foreach ((array) $context as $key => $value) (new Context($slot, '', '', 0, ''))->put($key, encode($value));
    }

    private function forget(array $slots): array { // what they have not begun
        foreach ($slots as $slot) $slot->held = false;
        $this->todo = array_filter($this->todo, fn ($call) => !in_array($call->slot, $slots, true));
        return ['ok' => true];
    }

    private function call(object $slot, object $body): array {
        if (isset($body->context)) $this->restore($slot, $body->context);
        if (!in_array($body->hook, $slot->has)) return ['ok' => true];
        $id = "{$slot->load->module}.$body->hook#0";
        $this->turn($call = new Context($slot, $body->hook, $id, 0, (string) ($body->from_version ?? 'null'), hook: $body->hook));
        if (!$call->error) return ['ok' => true, 'source' => false];
        $this->done = []; // a hook that fails leaves nothing, also no ERROR
        return ['ok' => false, 'error' => $this->describe($call->error)];
    }

    private function queue(string $body, int $flags, int $channel, int $skip, int $count, int $first): void {
        foreach ($this->slots as $slot) if (isset($slot->wires['in'][$channel])) break;
        if ($slot->held) return;
        [$port, $wire] = $slot->wires['in'][$channel];
        $cut = $flags & HEADERS ? strpos($body, ",\n\n") : 0;
        $headers = $cut ? json_decode(substr($body, 1, $cut - 1), true) : [];
        if ($cut) $body = substr($body, $cut + 3, -1);
        $texts = explode(",\n", substr($body, 1, -1));
        if (count($texts) < $skip + $count) $texts = array_map(encode(...), decode($body, 122)); // with other white space
        for ($i = $skip; $i < $skip + $count; $i++, $first++) {
            $id = $headers[$i]['id'] ?? "$wire#$first";
            $own = array_diff_key($headers[$i] ?? [], ['id' => 0]);
            $this->todo[] = new Context($slot, $port, $id, $first, $texts[$i], $own, $flags);
        }
    }

    private function step(Context $call): void {
        if ($call->flags & ANNOUNCE) {
            $this->commit();
            $this->frame(TURN, $call->slot->number, first: $call->number);
        }
        $this->turn($call);
        $held = $call->slot->load->retry && $call->error;
        $call->consumed = (int) !$held;
        $this->bytes += $call->bytes;
        if ($held) $this->forget([$call->slot]);
        $call->slot->held = $held; // also what comes later is forgotten, until PAUSE
        if ($held || $call->flags & ANNOUNCE) $this->commit();
    }

    private function turn(Context $root): void {
        $begin = count($this->done);
        $this->run($root, $root);
        if (!$root->isTooLarge()) return;
        $error = new Failure('TurnTooLarge', "over {$root->slot->load->max_turn_bytes} bytes"); // nothing of it stands
        foreach (array_reverse(array_splice($this->done, $begin)) as $call) $call->undo($error);
        $this->done[] = $root;
    }

    private function run(Context $call, Context $root): void { // a call, then everything fused behind it, depth-first
        [$started, $this->current, $this->done[]] = [now(), $call->slot->number, $call];
        try {
            $call->message = decode($call->json) ?? Json::Null;
            $isRun = $call->hook === 'run';
            $value = "{$call->slot->space}\\$call->hook"(...($isRun ? [$call->message, $call] : [$call, $call->message]));
            $isMany = $value instanceof \Generator;
            if ($isMany && !$isRun) throw new \Exception('PHP modules cannot be sources');
            if ($isRun) foreach ($isMany ? $value : [$value] as $item) $call->send('out', $item);
        } catch (\Throwable $error) {
            $call->undo($error);
        }
        ob_flush();
        $call->microseconds = now() - $started;
        foreach ($call->sends as $i => [$port, $json, $headers]) {
            foreach ($call->slot->wires['out'][$port]['fused'] ?? [] as [$number, $target]) {
                $behind = [$target, "$call->messageId/$call->moduleId.$i", $call->number, $json, $headers, 0, $root];
                if (!$root->isTooLarge()) $this->run(new Context($this->slots[$number], ...$behind), $root);
            }
        }
    }

    private function commit(): void { // what is done, as one transaction
        [$rows, $sent, $changed] = [[], [], []];
        foreach ($this->done as $call) {
            [$number, $out] = [$call->slot->number, $call->slot->wires['out'] ?? []];
            $row = $rows[$number] ?? [$number, 0, 0, 0, 0, 0, 0, 0, 0];
            if ($call->error) $this->fail($call, $row[1]);
            $counts = [0, $call->consumed, $call->hook === 'run', $call->error !== null, 0, 0, 0, $call->microseconds, $call->root !== null];
            foreach ($counts as $at => $count) $row[$at] += $count;
            foreach ($call->before as $key => $_) $changed["$number $key"] = [$call->slot, (string) $key];
            foreach ($call->sends as $i => [$port, $json, $headers]) {
                $row[isset($out[$port]) ? 5 : 6]++;
                if ($out[$port]['ids'] ?? false) $headers['id'] = "$call->messageId/$call->moduleId.$i";
                $message = [$json, $headers ? json_encode($headers, STRICT) : 'null'];
                if (isset($out[$port]['channel'])) $sent[$out[$port]['channel']][] = $message;
            }
            $rows[$number] = $row;
        }
        foreach ($sent as $channel => $messages) {
            $body = '[' . implode(",\n", array_column($messages, 0)) . ']';
            $headers = array_column($messages, 1);
            $with = array_unique($headers) !== ['null'];
            if ($with) $body = '[[' . implode(",\n", $headers) . "],\n\n$body]";
            $this->frame(DATA, $channel, $body, $with ? HEADERS : 0, 0, count($messages));
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
        $place = [$call->slot->held ? HELD : 0, strlen($info), $call->root ? NO_INDEX : $index, $call->number];
        $this->frame(ERROR, $call->slot->number, $info . ($call->root ? $call->json : ''), ...$place);
    }

    private function describe(\Throwable $error): array {
        $type = $error instanceof \JsonException ? 'DataError' : $error->type ?? (new \ReflectionClass($error))->getShortName();
        $shown = ['type' => $type, 'message' => $error->getMessage(), 'stack' => $error->getTraceAsString()];
        foreach ([['file' => $error->getFile(), 'line' => $error->getLine()], ...$error->getTrace()] as $at) {
            if (preg_match('~/Module\d+/(.+)~', $at['file'] ?? '', $own)) return $shown + ['file' => $own[1], 'line' => $at['line']];
        }
        return $shown;
    }
}

set_error_handler(function (int $level, string $text, string $file, int $line) {
    return error_reporting() & $level ? throw new \ErrorException($text, 0, $level, $file, $line) : false;
}, E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
new Host(fopen($argv[$argc - 2], 'rb'), fopen($argv[$argc - 1], 'wb'));
