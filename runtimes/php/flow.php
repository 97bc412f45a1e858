<?php // What a module sees: values (docs/data-contract.md), and its context, which also keeps what the call under way does.
declare(strict_types=1);
namespace Flow;

use function is_array, is_object, count, strlen, in_array; // PHP compiles these to one instruction, if it knows them

const STRICT = JSON_THROW_ON_ERROR | JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
const NUMBER = '/(?<![^\s:,[])-?(?:\d{200}|\d[\d.]*[eE]\+?\d{3})/'; // it may be out of range
const SPECIAL = '/"(?:\$|\\\\u00[02][04])(?:[^"\\\\]++|\\\\.)*+"\s*:/s'; // a key that begins with $ or U+0000
const KEY = '/"(?:[^"\\\\]++|\\\\.)*+"(?!\s*:)(*SKIP)(*FAIL)|"((?:[^"\\\\]++|\\\\.)*+")/s'; // and no other text
const MAX_UNWIRED = 64; // ports of a slot that are named
const BYTES = '/^\$+bytes$/D';

enum Json { case Null; } // a null at the top; PHP's own is "no value"
final class Bytes { public function __construct(public readonly string $data) {} } // a string is a text

function decode(string $json, int $depth = 121): mixed { // the library counts what is inside the innermost [] as well
    $isPlain = preg_match(NUMBER, $json) === 0 && preg_match(SPECIAL, $json) === 0;
    if ($isPlain) return json_decode($json, false, $depth, STRICT);
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

function encode(mixed $value): string {
    return json_encode(is_array($value) || is_object($value) ? plain($value, 120) : $value, STRICT);
}

function plain(array|object $value, int $room): mixed { // json_encode would take any object, and leave out keys with U+0000
    if (is_object($value) && !$value instanceof \stdClass) {
        if ($value === Json::Null) return null;
        if ($value instanceof Bytes) return ['$bytes' => base64_encode($value->data)];
        throw new Failure('DataError', refusal($value));
    }
    if ($room === 0) throw new Failure('DataError', 'it is nested too deep');
    $plain = (array) $value;
    $isSame = true;
    foreach ($plain as $key => $item) {
        if (($key[0] ?? '') === "\0") $isSame = false;
        if (!is_array($item) && !is_object($item)) continue;
        $new = plain($item, $room - 1);
        if ($new !== $item) [$plain[$key], $isSame] = [$new, false];
    }
    if (count($plain) === 1 && preg_match(BYTES, (string) key($plain))) return ['$' . key($plain) => reset($plain)];
    if ($isSame) return $value;
    return is_object($value) && array_is_list($plain) ? (object) $plain : $plain;
}

function refusal(object $value): string {
    return $value::class . ' is not JSON' . match (true) {
        $value instanceof \DateTimeInterface => ': send the text that you want, $date->format(DATE_ATOM)',
        $value instanceof \BackedEnum => ': send its ->value',
        $value instanceof \Traversable => ': send iterator_to_array($it)',
        $value instanceof \JsonSerializable => ': send its ->jsonSerialize()',
        default => '',
    };
}

final class Context { // one a module, for all its calls: one runs at a time
    public array $hooks = [], $in = [], $out = []; // its functions; WIRES
    public array $store = []; // JSON by key
    public int $stored = 0; // bytes
    public bool $isHeld = false;
    public int $limit; // bytes a turn
    public ?array $ports; // that it may send to; null: any
    public array $input = ['', '', 0]; // of the call: in-port, wire, flags,
    public int $number = 0; // its message's number
    private array $unwired = ['out' => true]; // ports that the runner knows of; where results go is nobody's mistake
    public array $carried = [], $sends = [], $before = []; // and headers with id; what it sends; what changed keys had
    public mixed $copy = null; // of the config, for this call
    private readonly string $config;

    public function __construct(
        private readonly Host $host, public readonly int $slot, public readonly object $load, public readonly Source $source,
    ) {
        $this->limit = $load->max_turn_bytes;
        $this->config = encode($load->config);
        $this->ports = isset($load->ports) ? [...$load->ports->out, 'error'] : null;
    }

    public function __get(string $name): mixed {
        return match ($name) {
            'port' => $this->input[0],
            'headers' => array_diff_key($this->carried, ['id' => '']),
            'messageId' => $this->carried['id'] ?? "{$this->input[1]}#$this->number",
            'redelivered' => ($this->input[2] & REDELIVERED) > 0,
            'moduleId' => $this->load->module,
            'flowId' => $this->load->flow,
            'config' => $this->copy ??= decode($this->config),
            default => $this->load->$name,
        };
    }

    public function outputId(int $index): string { return "$this->messageId/$this->moduleId.$index"; }
    public function log(string $level, string $text): void { $this->host->log($level, $text); }
    public function keys(): array { return array_map(strval(...), array_keys($this->store)); }
    public function set(string $key, mixed $value): void { $this->change($key, encode($value)); }
    public function delete(string $key): void { if (isset($this->store[$key])) $this->change($key, null); }
    public function get(string $key, mixed $default = null): mixed {
        return isset($this->store[$key]) ? decode($this->store[$key]) : $default;
    }

    public function send(string $port, mixed $value, array|object|null $headers = null): void {
        if ($this->ports && !in_array($port, $this->ports, true)) throw new Failure('PortError', "there is no out-port $port");
        if ($headers !== null) $headers = checked((array) $headers);
        if ($value === null) return;
        $json = $this->host->grow($this, encode($value));
        $out = $this->out[$port] ?? null;
        if (!$out && !isset($this->unwired[$port]) && count($this->unwired) < MAX_UNWIRED) {
            $this->unwired[$port] = true;
            $this->log('unwired', $port);
        }
        $id = ($out['ids'] ?? false) ? $this->outputId(count($this->sends)) : null;
        $this->sends[] = [$out, $json, $headers ?? $this->carried, $id];
    }

    public function put(string|int $key, ?string $json): void { // into the store
        $this->stored += strlen($json ?? '') - strlen($this->store[$key] ?? '');
        $this->store[$key] = $json;
        if ($json === null) unset($this->store[$key]);
    }

    public function undo(array $before): void { foreach ($before as $key => $json) $this->put($key, $json); }

    private function change(string $key, ?string $json): void {
        encode($key); // refuses what is not UTF-8
        $old = $this->store[$key] ?? null;
        $all = $this->stored + strlen($json ?? '') - strlen($old ?? '');
        if ($this->load->concurrency > 1) throw new Failure('ContextError', 'it is read-only: turns may overlap');
        if ($json && (strlen($json) > 1 << 20 || $all > 64 << 20)) throw new Failure('ContextError', 'over 1 or 64 MiB');
        $this->put($key, $this->host->grow($this, $json));
        $this->before += [$key => $old];
    }
}

function checked(array $headers): array {
    $bad = preg_grep('/^(client|traceparent|x-.*)$/D', array_keys($headers), PREG_GREP_INVERT)
        || array_filter($headers, is_string(...)) !== $headers || strlen(encode($headers)) > 4096;
    return $bad ? throw new Failure('HeaderError', 'headers are texts named client, traceparent or x-*, 4 KiB at most') : $headers;
}
