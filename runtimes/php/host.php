<?php // The host of PHP modules (runtimes/PROTOCOL.md): one loop reads frames, runs turns and commits them.
declare(strict_types=1);
namespace Flow;

use function count, strlen, intdiv;
foreach (['flow', 'failure', 'source'] as $name) require __DIR__ . "/$name.php";

const DATA = 4, HELLO = 16, CONTEXT = 17, ERROR = 18, LOG = 19, TURN = 20, COMMIT = 21, PAUSED = 22, RESULT = 23, PONG = 25;
const REDELIVERED = 1, HEADERS = 2, ANNOUNCE = 4, DELETED = 8, HELD = 16, NO_INDEX = 0xffffffff, EVERY_SLOT = 65535;
const MESSAGE = 0, FUSED = 1, HOOK = 2; // what a call is made for
const SHOWN = STRICT | JSON_INVALID_UTF8_SUBSTITUTE; // what only people read

final class Host {
    private const FUSED_BYTES = 64 << 20; // of one transaction

    private array $slots = [], $todo = [], $done = []; // modules; batches with their module; calls that are not committed
    public ?Context $running = null;
    public static Host $host;
    private array $lines = ['info' => '', 'error' => '']; // that were printed without their end, by level
    private bool $hasPrinted = false;
    private int $pid;
    private bool $hasLeft = false; // it is a forked child, which keeps away from the link
    private int $room = 0, $bytes = 0; // left for the call; not committed
    private int $clock = 0, $due = 0; // in nanoseconds
    private array $loads = ['' => 0]; // namespace -> how often it was loaded

    public function __construct(private mixed $in, private mixed $out) {
        [self::$host, $this->pid] = [$this, getmypid()];
        stream_set_read_buffer($in, 0);
        stream_wrapper_register('flow', Printed::class);
        ob_start(fn ($text) => $this->print('info', $text), 64 << 10, PHP_OUTPUT_HANDLER_FLUSHABLE);
        $this->frame(HELLO, 0, json_encode(['protocol' => 1, 'runtime' => 'php', 'version' => PHP_VERSION, 'pid' => getmypid()]));
        for ($none = null; $ready = [$in];) {
            if ($this->clock >= $this->due || $this->bytes >= 64 << 10) $this->commit();
            $is = stream_select($ready, $none, $none, 0);
            if (!$is && !$this->todo) $this->commit(); // and wait for a frame
            $is || !$this->todo ? $this->take() : $this->step();
        }
    }

    public function log(string $level, string $text): void {
        $text = rtrim(short($text));
        $body = json_encode(['level' => short($level), 'text' => $text], SHOWN);
        if ($this->hasLeft || getmypid() !== $this->pid) fwrite(\STDERR, "$text\n");
        elseif ($text !== '') $this->frame(LOG, $this->running?->slot ?? EVERY_SLOT, $body);
    }

    public function print(string $level, string $text): string { // a line is a LOG; what is left for PHP to print itself
        if ($this->hasLeft) return $text;
        $this->hasPrinted = true;
        $lines = explode("\n", $this->lines[$level] . $text);
        $this->lines[$level] = strlen(end($lines)) > SHOWN_BYTES ? '' : array_pop($lines);
        foreach ($lines as $line) $this->log($level, $line);
        return '';
    }

    private function finishLines(): void { // a call has ended
        if ($this->hasLeft) $this->comeBack(null);
        while (ob_get_level() > 1) ob_end_flush(); // the module's own buffers
        ob_flush();
        foreach ($this->lines as $level => $text) if ($text !== '') $this->print($level, "\n");
        $this->hasPrinted = false;
    }

    public function leave(): void {
        foreach ([$this->in, $this->out] as $link) fclose($link);
        [$this->hasLeft, $this->hasPrinted, $this->lines] = [true, true, ['info' => '', 'error' => '']];
    }

    public function hasLeft(): bool { return $this->hasLeft; }

    private function comeBack(?\Throwable $error): never {
        $what = $error ? "has failed: {$error->getMessage()}" : 'has come back: it ends here';
        fwrite(\STDERR, "a forked child of " . $this->running->load->module . " $what\n");
        exit($error ? 255 : 0);
    }

    public function grow(Context $context, ?string $json): ?string { // the call
        if ($context !== $this->running) throw new Failure('CreditError', 'the turn has ended');
        $this->room -= strlen($json ?? '');
        return $this->room >= 0 ? $json : throw $this->tooLarge($context);
    }

    private function tooLarge(Context $context): Failure {
        return new Failure('TurnTooLarge', "outputs exceed $context->limit bytes");
    }

    private function frame(int $kind, int $slot, string $body = '', int $flags = 0, int $skip = 0, int $count = 0, int $first = 0): void {
        fwrite($this->out, pack('VCCvVVP', strlen($body), $kind, $flags, $slot, $skip, $count, $first) . $body);
    }

    private function take(): void { // everything but DATA is done at once, which is between two turns
        $header = (string) stream_get_contents($this->in, 24);
        if (strlen($header) < 24) exit(1);
        extract(unpack('Vsize/Ckind/Cflags/vnumber/Vskip/Vcount/Pfirst', $header));
        if ($size > 64 << 20) exit(3);
        [$body, $slot] = [$size ? stream_get_contents($this->in, $size) : '', $this->slots[$number] ?? null];
        $this->clock = hrtime(true);
        if ($kind !== DATA && $kind !== 9) $this->commit();
        $answer = match ($kind) {
            1 => $this->load($number, decode($body, 1000)),
            2, 6 => $this->forget($number === EVERY_SLOT ? $this->slots : array_filter([$slot])), // UNLOAD, PAUSE
            3 => ['in' => $slot->in, 'out' => $slot->out] = json_decode($body, true),
            DATA => $this->queue($body, $flags, $number, $skip, $count, $first),
            5, 9 => null, // PULL (there are no sources), PING
            7 => $this->call($slot, decode($body, 1000)),
            8 => exit(0),
            default => exit(3),
        };
        $this->finishLines(); // what was printed while it was loaded
        $this->running = null;
        $reply = [1 => RESULT, 2 => RESULT, 6 => PAUSED, 7 => RESULT, 9 => PONG][$kind] ?? null;
        if ($kind === 2 && $slot) $this->unload($number);
        if ($reply) $this->frame($reply, $number, $reply === RESULT ? json_encode($answer, SHOWN) : '', first: $first);
    }

    private function load(int $number, object $load): array {
        $space = 'Module\\' . preg_replace('/\W/', '_', $load->module);
        $count = $this->loads[$space] = ($this->loads[$space] ?? 0) + 1;
        $source = new Source($space . ($count > 1 ? "_$count" : ''), sys_get_temp_dir() . '/.modules/' . ++$this->loads['']);
        try {
            $this->slots[$number] = $this->running = $context = new Context($this, $number, $load, $source);
            $this->restore($context, $load->context);
            define("$source->space\\STDERR", fopen('flow://error', 'w'));
            define("$source->space\\STDOUT", fopen('php://output', 'w'));
            $main = $source->place((array) $load->files, $load->name, $load->code);
            (static function () { require func_get_arg(0); })($main);
            foreach (['run', 'start', 'stop', 'migrate'] as $name) $context->hooks[$name] = $source->find($name);
            $context->hooks = array_filter($context->hooks);
            $isModule = isset($context->hooks['run']) || isset($context->hooks['start']);
            if (!$isModule) throw new \Exception('it defines neither run nor start');
            foreach ($context->hooks as $name => $hook) {
                $shape = $name === 'run' ? '($message, $context)' : ($name === 'migrate' ? '($context, $from_version)' : '($context)');
                $takes = new \ReflectionFunction($hook);
                if ($takes->getNumberOfRequiredParameters() <= substr_count($shape, ',') + 1) continue;
                $names = implode(', ', array_map(fn($one) => '$' . $one->name, $takes->getParameters()));
                throw new \ArgumentCountError("$name is called with $shape, but takes ($names)");
            }
            return ['ok' => true, 'hooks' => array_values(array_diff(array_keys($context->hooks), ['run']))];
        } catch (\Throwable $error) {
            if ($this->hasLeft) $this->comeBack($error);
            $failure = ['ok' => false, 'error' => Failure::shown($error, $source->folder)];
            $this->finishLines();
            $this->unload($number);
            return $failure;
        }
    }

    private function unload(int $number): void {
        $source = ($this->slots[$number] ?? null)?->source;
        $source?->remove();
        unset($this->slots[$number], Own::$globals[$source?->space]);
    }

    private function restore(Context $context, object $values): void {
        [$context->store, $context->stored] = [[], 0];
        foreach ((array) $values as $key => $value) $context->put($key, encode($value));
    }

    private function forget(array $slots): array { // what they have not begun
        foreach ($slots as $slot) $slot->isHeld = false;
        $this->todo = array_filter($this->todo, fn ($batch) => !in_array($batch[0], $slots, true));
        return ['ok' => true];
    }

    private function call(Context $context, object $body): array {
        if (isset($body->context)) $this->restore($context, $body->context);
        if (!isset($context->hooks[$body->hook])) return ['ok' => true];
        [$context->input, $context->number, $context->carried] = [['', "{$context->load->module}.$body->hook", 0], 0, []];
        $handler = static function ($argument, $context) use ($body) {
            $value = $context->hooks[$body->hook]($context, $argument);
            if ($value instanceof \Traversable) throw new \Exception('PHP modules cannot be sources');
        };
        $error = $this->run($context, $handler, HOOK, $body->from_version ?? null, null);
        if ($error) $this->done = []; // a hook that fails leaves nothing, also no ERROR
        $this->commit();
        if (!$error) return ['ok' => true, 'source' => false];
        return ['ok' => false, 'error' => Failure::shown($error, $context->source->folder, $context->hooks[$body->hook])];
    }

    private function queue(string $body, int $flags, int $channel, int $skip, int $count, int $first): void {
        foreach ($this->slots as $context) if (isset($context->in[$channel])) break;
        if (!$context->isHeld) $this->todo[] = [$context, $this->batch($context, $channel, $body, $flags, $skip, $count, $first)];
    }

    private function step(): void {
        $first = array_key_first($this->todo);
        $batch = $this->todo[$first][1];
        $batch->next();
        if (!$batch->valid()) unset($this->todo[$first]);
    }

    private function batch(Context $context, int $channel, string $body, int $flags, int $skip, int $count, int $first): \Generator {
        yield; // until it is its turn
        [$input, $handler] = [[...$context->in[$channel], $flags], $context->hooks['run']];
        $cut = $flags & HEADERS ? strpos($body, ",\n\n") : 0;
        $headers = $cut ? json_decode(substr($body, 1, $cut - 1), true) : [];
        if ($cut) $body = substr($body, $cut + 3, -1);
        try {
            [$messages, $texts] = [decode($body, 122), []];
        } catch (\Exception) { // one of them is bad
            $texts = explode(",\n", substr($body, 1, -1));
        }
        for ($i = $skip; $i < $skip + $count; $i++, $first++) {
            if ($this->clock >= $this->due || $this->bytes >= 64 << 10) yield; // a commit, and a look at the input
            if ($flags & ANNOUNCE) {
                $this->commit();
                $this->frame(TURN, $context->slot, first: $first);
            }
            $context->input = $input;
            $context->number = $first;
            $context->carried = $headers[$i] ?? [];
            $error = $this->run($context, $handler, MESSAGE, $messages[$i] ?? Json::Null, $texts[$i] ?? null);
            if ($error && $context->load->retry) {
                $this->commit();
                $this->forget([$context]);
                $context->isHeld = true; // also what comes later is forgotten, until PAUSE
                return;
            }
            if ($flags & ANNOUNCE) $this->commit();
        }
    }

    private function run(Context $context, \Closure $handler, int $kind, mixed $message, ?string $json): ?\Throwable {
        $started = $this->clock; // a call, then everything fused behind it, depth-first
        $this->running = $context;
        $this->room = $context->limit;
        $called = $error = $failure = null;
        try {
            if ($json !== null) $message = decode($json) ?? Json::Null;
            $called = $handler;
            $value = $handler($message, $context);
            if ($value instanceof \Generator) foreach ($value as $item) $context->send('out', $item);
            else $context->send('out', $value);
            if ($this->room < 0) throw $this->tooLarge($context); // it did not mind
        } catch (\Throwable $error) {
            if ($this->hasLeft) $this->comeBack($error);
            $context->undo($context->before);
            $context->before = $context->sends = [];
            $failure = $this->failure($context, $error, $called, $kind === FUSED ? $json : '');
        }
        if (ob_get_length() || $this->hasPrinted) $this->finishLines();
        $this->running = $context->copy = null;
        $this->clock = hrtime(true);
        $sends = $context->sends;
        if (!$error) $this->bytes += $context->limit - $this->room;
        if ($this->bytes > self::FUSED_BYTES && $kind === FUSED) $this->giveUp();
        $this->done[] = [$context, $kind, $sends, $context->before, $this->clock - $started, $failure];
        $context->before = $context->sends = [];
        foreach ($sends as $i => [$out, $json, $headers]) {
            foreach ($out['fused'] ?? [] as [$slot, $port, $wire]) {
                $target = $this->slots[$slot];
                [$target->input, $target->number] = [[$port, $wire, $context->input[2]], $context->number];
                $target->carried = ['id' => $context->outputId($i)] + $headers;
                $this->run($target, $target->hooks['run'], FUSED, null, $json);
            }
        }
        return $error;
    }

    // What a message has set off by way of fused wires is too much for one transaction, though each call is within its
    // limit: the process ends, and the runner has the message done again, one module at a time.
    private function giveUp(): never {
        fwrite(\STDERR, "$this->bytes bytes behind one message by way of fused wires: it is done again unfused\n");
        exit(4);
    }

    private function failure(Context $context, \Throwable $error, ?\Closure $handler, string $json): array {
        $info = [
            'error' => Failure::shown($error, $context->source->folder, $handler), 'port' => $context->port,
            'id' => $context->messageId, 'headers' => $context->headers ?: null,
        ];
        return [json_encode($info, SHOWN), $context->number, $json];
    }

    private function commit(): void { // what is done, as one transaction
        if (getmypid() !== $this->pid) exit(0); // a child that was forked in some other way
        if (ob_get_level() > 1) $this->finishLines();
        $rows = $sent = $own = $changed = [];
        foreach ($this->done as [$context, $kind, $sends, $before, $nanoseconds, $failure]) {
            $slot = $context->slot;
            $row = &$rows[$slot];
            $row ??= [$slot, 0, 0, 0, 0, 0, 0, 0, 0];
            if ($failure) {
                [$info, $number, $json] = $failure;
                $isHeld = $kind === MESSAGE && $context->load->retry;
                $place = [$isHeld ? HELD : 0, strlen($info), $kind === FUSED ? NO_INDEX : $row[1], $number];
                $this->frame(ERROR, $slot, $info . $json, ...$place);
                $row[1] -= (int) $isHeld;
                $row[3]++;
            }
            $row[1] += (int) ($kind === MESSAGE);
            $row[2] += (int) ($kind !== HOOK);
            $row[8] += (int) ($kind === FUSED);
            $row[7] += $nanoseconds;
            foreach ($before as $key => $_) $changed["$slot $key"] = [$context, (string) $key];
            foreach ($sends as [$out, $json, $headers, $id]) {
                $row[$out ? 5 : 6]++;
                if (!isset($out['channel'])) continue;
                $sent[$out['channel']][] = $json;
                unset($headers['id']);
                if ($id !== null) $headers['id'] = $id;
                if ($headers) $own[$out['channel']][count($sent[$out['channel']]) - 1] = json_encode($headers, STRICT);
            }
        }
        unset($row);
        foreach ($sent as $channel => $messages) {
            $body = '[' . implode(",\n", $messages) . ']';
            $headers = isset($own[$channel]) ? array_replace(array_fill(0, count($messages), 'null'), $own[$channel]) : null;
            if ($headers) $body = '[[' . implode(",\n", $headers) . "],\n\n$body]";
            $this->frame(DATA, $channel, $body, $headers ? HEADERS : 0, 0, count($messages));
        }
        foreach ($changed as [$context, $key]) {
            $json = $context->store[$key] ?? null;
            $this->frame(CONTEXT, $context->slot, $key . $json, $json === null ? DELETED : 0, strlen($key));
        }
        foreach ($rows as $slot => $row) $rows[$slot][7] = intdiv($row[7], 1000);
        if ($rows) $this->frame(COMMIT, 0, json_encode(array_values($rows)));
        $this->clock = hrtime(true); // the time it took is no module's
        [$this->done, $this->bytes, $this->due] = [[], 0, $this->clock + 5_000_000];
    }
}

final class Printed { // what a module writes to STDERR: its own is a stream of this kind
    public $context;

    public function stream_open(): bool { return true; }
    public function stream_flush(): bool { return true; }
    public function stream_write(string $text): int {
        $left = Host::$host->print('error', $text);
        if ($left !== '') fwrite(\STDERR, $left);
        return strlen($text);
    }
}

set_error_handler(function (int $level, string $text, string $file, int $line) {
    return error_reporting() & $level ? throw new \ErrorException($text, 0, $level, $file, $line) : false;
}, E_ALL & ~E_DEPRECATED & ~E_USER_DEPRECATED);
// PHP would look where the link /dev/fd/N leads to: to a pipe that has no name any more. e: nobody inherits them.
[$input, $output] = preg_replace('~^/dev/fd/~', 'php://fd/', array_slice($argv, -2));
new Host(fopen($input, 'rbe'), fopen($output, 'wbe'));
