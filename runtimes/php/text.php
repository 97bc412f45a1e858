<?php // One file of a module, read and rewritten by PHP's own tokenizer. Lines stay the user's: what is added has no line end.
declare(strict_types=1);
namespace Flow;

use PhpToken;

final class Text {
    private const BLANK = [T_WHITESPACE, T_COMMENT, T_DOC_COMMENT];
    private const NAME = [T_STRING, T_NAME_QUALIFIED, T_NAME_FULLY_QUALIFIED];
    private const MEMBER = [T_OBJECT_OPERATOR, T_NULLSAFE_OBJECT_OPERATOR, T_DOUBLE_COLON, T_FUNCTION, T_NEW, T_CONST];
    private const OPENING = ['(', '[', '{', T_ATTRIBUTE, T_CURLY_OPEN, T_DOLLAR_OPEN_CURLY_BRACES];
    private const SUPERGLOBALS = '/^\$(this|GLOBALS|_SERVER|_GET|_POST|_FILES|_COOKIE|_SESSION|_REQUEST|_ENV)$/';
    private const CLASS_ARGUMENTS = ['is_a' => [0, 1], 'is_subclass_of' => [0, 1], 'method_exists' => [0],
        'property_exists' => [0], 'get_class_methods' => [0], 'get_parent_class' => [0], 'class_implements' => [0]];
    private static array $known = []; // PHP's own classes: in lower case -> name

    public array $declared = ['function' => [], 'class' => [], 'constant' => []]; // in lower case -> as written
    private array $tokens = [];
    private bool $isPhp = false; // or data
    private array $scopes = []; // of each token: 'top', 'class' or 'function'
    private array $variables = []; // of the top level
    private array $imported = []; // by the file itself, in lower case
    private array $new = []; // token -> what stands for it
    private array $added = []; // token -> what comes behind it

    public function __construct(private readonly string $code) {
        $this->tokens = PhpToken::tokenize($code);
        foreach ($this->tokens as $token) $this->isPhp = $this->isPhp || $token->is([T_OPEN_TAG, T_OPEN_TAG_WITH_ECHO]);
        if ($this->isPhp) $this->read();
    }

    private function next(int $at, int $step = 1): int { // the next token that says something
        do $at += $step; while (isset($this->tokens[$at]) && $this->tokens[$at]->is(self::BLANK));
        return $at;
    }

    private function is(int $at, mixed $kind): bool { return isset($this->tokens[$at]) && $this->tokens[$at]->is($kind); }
    private function text(int $at): string { return $this->tokens[$at]->text ?? ''; }

    // what it declares

    private function read(): void {
        [$scopes, $pending, $space] = [['top'], null, ''];
        foreach ($this->tokens as $at => $token) {
            $this->scopes[$at] = $scope = end($scopes);
            $next = $this->next($at);
            if ($token->is(T_NAMESPACE) && $this->is($next, self::NAME)) $space = $this->text($next) . '\\';
            elseif ($token->is(T_FUNCTION)) {
                if ($this->text($next) === '&') $next = $this->next($next);
                if ($scope !== 'class' && $this->is($next, T_STRING)) $this->declare('function', $space, $next);
                $pending = 'function';
            } elseif ($token->is([T_CLASS, T_INTERFACE, T_TRAIT, T_ENUM]) && !$this->isName($at)) {
                if ($this->is($next, T_STRING)) $this->declare('class', $space, $next);
                $pending = 'class';
            } elseif ($token->is(T_CONST) && $scope === 'top') {
                for (; !$this->is($next, ';') && isset($this->tokens[$next]); $next++) {
                    if ($this->is($next, T_STRING) && $this->is($this->next($next), '=')) $this->declare('constant', $space, $next);
                }
            } elseif ($token->is(T_USE) && $this->isImport($at)) $this->imported += $this->imports($at);
            elseif ($token->is(T_VARIABLE) && $scope === 'top' && !$pending) {
                if (!preg_match(self::SUPERGLOBALS, $token->text)) $this->variables[substr($token->text, 1)] = true;
            } elseif ($token->is([T_CURLY_OPEN, T_DOLLAR_OPEN_CURLY_BRACES])) $scopes[] = $scope;
            elseif ($token->is('{')) [$scopes[], $pending] = [$pending ?? $scope, null];
            elseif ($token->is('}')) array_pop($scopes);
            elseif ($token->is(';')) $pending = null;
        }
    }

    private function declare(string $kind, string $space, int $at): void {
        $this->declared[$kind][strtolower($space . $this->text($at))] = $space . $this->text($at);
    }

    private function isImport(int $at): bool { return $this->scopes[$at] === 'top' && !$this->is($this->next($at), '('); }

    private function imports(int $at): array { // the names that a `use` makes known
        $names = [];
        for (; isset($this->tokens[$at]) && !$this->is($at, ';'); $at++) {
            $isLast = $this->is($this->next($at), [',', ';', '}']);
            if ($isLast && $this->is($at, self::NAME)) $names[strtolower(preg_replace('/.*\\\\/', '', $this->text($at)))] = true;
        }
        return $names;
    }

    // what is run

    public function written(Source $source): string {
        if (!$this->isPhp) return $this->code;
        [$declare, $start] = $this->head();
        $binding = $this->binding($source);
        $isRoot = !$this->is($start, T_NAMESPACE);
        $this->rewrite($source, $binding);
        $text = '<?php ' . $declare . ($isRoot ? "namespace $source->space;" . $this->known($source) . $binding : '');
        foreach ($this->tokens as $at => $token) $text .= ($this->new[$at] ?? $token->text) . ($this->added[$at] ?? '');
        return $text;
    }

    private function head(): array { // what has to come first in a file, and the token behind it
        $at = 0;
        if ($this->is(0, T_INLINE_HTML)) {
            $isNothing = preg_match('/^\xef\xbb\xbf?(#!.*)?\s*$/', $this->text(0)) === 1;
            if (!$isNothing) return ['', -1, $this->new[0] = '?>' . $this->text(0)];
            $this->blank(0);
            $at = 1;
        }
        if (!$this->is($at, T_OPEN_TAG)) return ['', -1, $this->new[$at] = '?>' . $this->text($at)];
        $this->blank($at);
        $at = $this->next($at);
        if (!$this->is($at, T_DECLARE)) return ['', $at];
        for ($declare = ''; isset($this->tokens[$at]) && !str_ends_with($declare, ';'); $at++) {
            $declare .= $this->is($at, self::BLANK) ? ' ' : $this->text($at);
            $this->blank($at);
        }
        return ["$declare ", $this->next($at - 1)];
    }

    private function blank(int $at): void { $this->new[$at] = preg_replace('/[^\n]+/', '', $this->text($at)); }

    private function binding(Source $source): string { // the variables of the top level are the module's
        $names = array_map(fn ($name) => "'$name'", array_keys($this->variables));
        return $names ? " extract(\\Flow\\Own::globals('$source->space', [" . implode(', ', $names) . ']), EXTR_REFS);' : '';
    }

    private function known(Source $source): string { // PHP's own classes that the file names, seen as if in no namespace
        self::$known = self::$known ?: array_filter(
            array_combine(array_map(strtolower(...), $all = [...get_declared_classes(), ...get_declared_interfaces()]), $all),
            fn ($name) => !str_contains($name, '\\'),
        ) + ['flow' => 'Flow'];
        $named = ['flow' => true];
        foreach ($this->tokens as $token) if ($token->is(T_STRING)) $named[strtolower($token->text)] = true;
        $named = array_diff_key(array_intersect_key(self::$known, $named), $this->imported, $source->declared['class']);
        return implode(array_map(fn ($name) => " use $name;", $named));
    }

    private function rewrite(Source $source, string $binding): void {
        [$calls, $isText] = [[], false]; // open brackets: the function called, which argument, whether a pair may call one
        foreach ($this->tokens as $at => $token) {
            if (isset($this->new[$at])) continue;
            $top = $calls ? $calls[array_key_last($calls)] : ['', 0, false];
            if ($token->is(['"', T_START_HEREDOC, T_END_HEREDOC])) $isText = !$isText;
            elseif ($token->is(T_NAMESPACE) && !$this->isName($at)) $this->namespace($at, $source, $binding);
            elseif ($token->is(T_USE) && $this->isImport($at)) $this->import($at, $source);
            elseif ($token->is(T_GLOBAL) && !$this->isName($at)) $this->global($at, $source);
            elseif ($token->is('$GLOBALS') && !$isText) $this->new[$at] = "\\Flow\\Own::\$globals['$source->space']";
            elseif ($token->is([T_STRING, T_NAME_FULLY_QUALIFIED])) $this->name($at, $source);
            elseif ($token->is(T_EXIT) && !$this->isName($at)) $this->exit($at);
            elseif ($token->is(T_CONSTANT_ENCAPSED_STRING)) $this->literal($at, $source, $top);
            elseif ($token->is(self::OPENING)) $calls[] = $this->opened($at, $top);
            elseif ($token->is([')', ']', '}'])) array_pop($calls);
            elseif ($token->is(',') && $calls) $calls[array_key_last($calls)][1]++;
        }
    }

    private function opened(int $at, array $top): array {
        if ($this->is($at, '[')) return ['', 0, $this->isCallable($top)];
        $before = $this->next($at, -1);
        $isCall = $this->is($at, '(') && $this->is($before, [T_STRING, T_NAME_FULLY_QUALIFIED]) && !$this->isMember($before);
        return [$isCall ? strtolower(ltrim($this->text($before), '\\')) : '', 0, false];
    }

    private function isName(int $at): bool { return $this->is($this->next($at, -1), [T_DOUBLE_COLON, T_FUNCTION, T_CONST]); }
    private function isMember(int $at): bool { return $this->is($this->next($at, -1), self::MEMBER); }

    private function isCallable(array $top): bool { // what such an argument is for
        [$function, $argument] = $top;
        if ($function === '' || !function_exists($function)) return false;
        $parameters = (new \ReflectionFunction($function))->getParameters();
        $last = end($parameters);
        $parameter = $parameters[$argument] ?? ($last && $last->isVariadic() ? $last : null);
        return str_contains((string) $parameter?->getType(), 'callable');
    }

    private function literal(int $at, Source $source, array $top): void { // a text that names what the module declares
        if (!$this->is($this->next($at, -1), ['(', ',', '[']) || !$this->is($this->next($at), [')', ',', ']'])) return;
        $name = ltrim(preg_replace('/\\\\([\\\\\'"])/', '$1', substr($this->text($at), 1, -1)), '\\');
        [$base, $member] = [...explode('::', $name, 2), null];
        [$function, $argument, $isPair] = $top;
        if (in_array($argument, self::CLASS_ARGUMENTS[$function] ?? [], true) || ($isPair && $argument === 0)) $kind = 'class';
        elseif ($this->isCallable($top)) $kind = $member === null ? 'function' : 'class';
        else return;
        if ($source->own($base, $kind)) $this->new[$at] = var_export("$source->space\\$name", true);
    }

    private function name(int $at, Source $source): void {
        $name = strtolower(ltrim($this->text($at), '\\'));
        $next = $this->next($at);
        $isCall = $this->is($next, '(') && !$this->isMember($at);
        if ($isCall && method_exists(Own::class, "_$name") && !$source->own($name, 'function')) {
            $argument = $this->next($next);
            if ($this->is($argument, T_ELLIPSIS)) return; // define(...)
            $this->new[$at] = "\\Flow\\Own::_$name";
            $this->added[$next] = $this->is($argument, ')') ? "'$source->space'" : "'$source->space', ";
        } elseif ($this->is($at, T_NAME_FULLY_QUALIFIED)) {
            $isOwn = $isCall ? $source->own($name, 'function') : $source->own($name, 'class', 'constant');
            if ($isOwn) $this->new[$at] = "\\$source->space" . $this->text($at);
        }
    }

    private function exit(int $at): void { // exit; exit(1); die("text")
        $this->new[$at] = '\\Flow\\Own::exit' . ($this->is($this->next($at), '(') ? '' : '()');
    }

    private function global(int $at, Source $source): void { // global $a, $b;
        $this->new[$at] = '';
        for ($at++; isset($this->tokens[$at]) && !$this->is($at, ';'); $at++) {
            if ($this->is($at, ',')) $this->new[$at] = ';';
            if (!$this->is($at, T_VARIABLE)) continue;
            $name = $this->text($at);
            $key = $this->is($at - 1, '$') ? $name : "'" . substr($name, 1) . "'";
            $this->new[$at] = "$name = &\\Flow\\Own::\$globals['$source->space'][$key]";
        }
    }

    private function import(int $at, Source $source): void { // use function a\b as c, d; use e\{f, g};
        $kind = match (true) {
            $this->is($this->next($at), T_FUNCTION) => 'function',
            $this->is($this->next($at), T_CONST) => 'constant',
            default => 'class',
        };
        for ($at++; isset($this->tokens[$at]) && !$this->is($at, [';', '{']); $at++) {
            if (!$this->is($at, self::NAME) || $this->is($this->next($at, -1), T_AS)) continue;
            $name = ltrim($this->text($at), '\\');
            $isGroup = $this->is($this->next($at), T_NS_SEPARATOR);
            $below = fn ($declared) => str_starts_with($declared, strtolower("$name\\"));
            $isOwn = $isGroup ? array_filter(array_keys($source->declared[$kind]), $below) : $source->own($name, $kind);
            $this->new[$at] = $isOwn ? "$source->space\\$name" : $name;
        }
    }

    private function namespace(int $at, Source $source, string $binding): void { // namespace a\b; namespace { ... }
        $next = $this->next($at);
        $isNamed = $this->is($next, self::NAME);
        if ($isNamed) $this->new[$next] = "$source->space\\" . $this->text($next);
        else $this->added[$at] = " $source->space";
        $end = $isNamed ? $this->next($next) : $next;
        $this->added[$end] = ($isNamed ? '' : $this->known($source)) . $binding;
    }
}
