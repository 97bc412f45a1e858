<?php // What a module sees: values (docs/data-contract.md), and the context of a call, which also keeps what the call does.
declare(strict_types=1);
namespace Flow;

const STRICT = JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
const SPECIAL = '/\d{200}|[eE]\+?\d{3}|"(?:\$|\\\\u00[02][04])/'; // numbers out of range, keys with $ or U+0000
const KEY = '/"(?:[^"\\\\]++|\\\\.)*+"(?!\s*:)(*SKIP)(*FAIL)|"((?:[^"\\\\]++|\\\\.)*+")/s'; // and no other text
const BYTES = '/^\$+bytes$/D';

enum Json { case Null; } // a null at the top; PHP's own is "no value"
final class Bytes { public function __construct(public readonly string $data) {} } // a string is a text
final class Failure extends \Exception { // with a type of the protocol's
    public function __construct(public readonly string $type, string $text) { parent::__construct($text); }
}

function decode(string $json, int $depth = 121): mixed { // the library counts what is inside the innermost [] as well
    if (preg_match(SPECIAL, $json) === 0) return json_decode($json, false, $depth, STRICT);
    // it refuses a key that begins with U+0000: let every key begin with # for the moment
    return native(json_decode(preg_replace(KEY, '"#$1', $json), false, $depth, STRICT));
}

function native(mixed $value): mixed {
    if ($value === INF || $value === -INF) throw new Failure('DataError', 'a number is over the largest double');
    if (is_array($value)) return array_map(native(...), $value);
    if (!is_object($value)) return $value;
    $pairs = [];
    foreach ($value as $key => $item) $pairs[substr($key, 1)] = native($item);
    $key = (string) key($pairs);
    if (count($pairs) !== 1 || !preg_match(BYTES, $key)) return (object) $pairs;
    if ($key !== '$bytes') return (object) [substr($key, 1) => $pairs[$key]]; // an object of the user's
    $data = is_string($pairs[$key]) ? base64_decode($pairs[$key], true) : false;
    return $data !== false ? new Bytes($data) : throw new Failure('DataError', '$bytes is not base64');
}

function encode(mixed $value): string { return json_encode(plain($value, 120), STRICT); }

function plain(mixed $value, int $room): mixed { // json_encode would take any object, and leave out keys with U+0000
    if ($value instanceof Bytes) return ['$bytes' => base64_encode($value->data)];
    if (!is_array($value) && !is_object($value) || $value === Json::Null) return $value === Json::Null ? null : $value;
    if (is_object($value) && !$value instanceof \stdClass) throw new Failure('DataError', $value::class . ' is not JSON');
    if ($room === 0) throw new Failure('DataError', 'it is nested too deep');
    $copy = array_map(fn ($item) => plain($item, $room - 1), (array) $value);
    if (count($copy) === 1 && preg_match(BYTES, (string) key($copy))) return ['$' . key($copy) => reset($copy)];
    return is_object($value) && array_is_list($copy) ? (object) $copy : $copy;
}

final class Context {
    public array $sends = [], $before = []; // port, JSON and headers; what the changed keys had
    public mixed $message = null, $error = null, $microseconds = null; // the last is set when it has ended
    public int $bytes = 0, $consumed = 0;

    public function __construct(
        public readonly object $slot, public readonly string $port, public readonly string $messageId, public readonly int $number,
        public readonly string $json, public readonly array $headers = [], public readonly int $flags = 0,
        public readonly ?Context $root = null, public readonly string $hook = 'run',
    ) {}

    public function __get(string $name): mixed {
        $load = ['redelivered' => ($this->flags & REDELIVERED) > 0] + (array) $this->slot->load;
        return $load[['moduleId' => 'module', 'flowId' => 'flow'][$name] ?? $name];
    }

    public function log(string $level, string $text): void { $this->slot->host->log($level, $text); }
    public function keys(): array { return array_map(strval(...), array_keys($this->slot->store)); }
    public function set(string $key, mixed $value): void { $this->change($key, encode($value)); }
    public function delete(string $key): void { if (isset($this->slot->store[$key])) $this->change($key, null); }
    public function get(string $key, mixed $default = null): mixed {
        return isset($this->slot->store[$key]) ? decode($this->slot->store[$key]) : $default;
    }

    public function send(string $port, mixed $value, array|object|null $headers = null): void {
        $ports = [...$this->slot->load->ports->out ?? [$port], 'error'];
        if (!in_array($port, $ports, true)) throw new Failure('PortError', "there is no out-port $port");
        $headers = (array) ($headers ?? $this->headers);
        $bad = preg_grep('/^(client|traceparent|x-.*)$/D', array_keys($headers), PREG_GREP_INVERT)
            || array_filter($headers, is_string(...)) !== $headers || strlen(encode($headers)) > 4096;
        if ($bad) throw new Failure('HeaderError', 'headers are texts named client, traceparent or x-*, 4 KiB at most');
        if ($value !== null) $this->sends[] = [$port, $this->grow(encode($value)), $headers];
    }

    public function put(string|int $key, ?string $json): void { // into the store
        $this->slot->bytes += strlen($json ?? '') - strlen($this->slot->store[$key] ?? '');
        $this->slot->store[$key] = $json;
        if ($json === null) unset($this->slot->store[$key]);
    }

    public function undo(\Throwable $error): void {
        foreach ($this->before as $key => $json) $this->put($key, $json);
        [$this->error, $this->before, $this->sends] = [$error, [], []];
    }

    public function isTooLarge(): bool { return $this->bytes > $this->slot->load->max_turn_bytes; }

    private function change(string $key, ?string $json): void {
        encode($key); // refuses what is not UTF-8
        $old = $this->slot->store[$key] ?? null;
        $all = $this->slot->bytes + strlen($json ?? '') - strlen($old ?? '');
        if ($this->slot->load->concurrency > 1) throw new Failure('ContextError', 'it is read-only: turns may overlap');
        if ($json && (strlen($json) > 1 << 20 || $all > 64 << 20)) throw new Failure('ContextError', 'over 1 or 64 MiB');
        $this->put($key, $this->grow($json));
        $this->before += [$key => $old];
    }

    private function grow(?string $json): ?string {
        if ($this->microseconds !== null) throw new Failure('CreditError', 'the turn has ended');
        $root = $this->root ?? $this;
        $root->bytes += strlen($json ?? '');
        return $root->isTooLarge() ? throw new Failure('TurnTooLarge', 'max_turn_bytes') : $json;
    }
}
