<?php // What stands for functions of PHP's that would reach beyond a module's namespace; they get that as first argument.
declare(strict_types=1);
namespace Flow;

final class Own {
    public static array $globals = []; // namespace -> its global variables
    public static array $answers = []; // functions that PHP knows by a module's name for them only

    public static function globals(string $space, array $names): array { // references, for a file's top level
        foreach (debug_backtrace(DEBUG_BACKTRACE_IGNORE_ARGS) as $call) {
            if (preg_match('/^(globals|(include|require)(_once)?)$/D', $call['function'])) continue;
            if (str_starts_with($call['function'], __NAMESPACE__)) break;
            return []; // a function includes the file, and has its variables
        }
        $references = [];
        foreach ($names as $name) {
            self::$globals[$space][$name] ??= null;
            $references[$name] = &self::$globals[$space][$name];
        }
        return $references;
    }

    // A text that names a function is a callback anywhere: PHP then looks for it outside of all namespaces, and finds this.
    public static function answer(string $name): void {
        if (str_contains($name, '\\') || function_exists($name)) return;
        self::$answers[$name] = true;
        eval("function $name(mixed ...\$arguments): mixed { return \\Flow\\Own::called('$name')(...\$arguments); }");
    }

    public static function called(string $name): callable {
        $function = Host::$host->running?->source->space . "\\$name";
        if (!function_exists($function)) throw new \Error("Call to undefined function $name()");
        foreach ((new \ReflectionFunction($function))->getParameters() as $parameter) {
            if ($parameter->isPassedByReference()) throw new \Error("$name() takes a reference: name it $name(...), not '$name'");
        }
        return $function;
    }

    // It would end the host, and all modules with it: it ends the call.
    public static function exit(string|int $status = 0): never {
        if (Host::$host->hasLeft()) exit($status);
        throw new Failure('SystemExit', is_int($status) ? "exit($status)" : $status);
    }

    private static function in(string $space, string $name): string { return "$space\\" . ltrim($name, '\\'); }

    public static function _define(string $space, string $name, mixed $value): bool {
        return \define(self::in($space, $name), $value);
    }

    public static function _defined(string $space, string $name): bool {
        return \defined(self::in($space, $name)) || \defined($name);
    }

    public static function _constant(string $space, string $name): mixed {
        return \constant(\defined(self::in($space, $name)) ? self::in($space, $name) : $name);
    }

    public static function _function_exists(string $space, string $name): bool {
        return \function_exists(self::in($space, $name)) || \function_exists($name) && !isset(self::$answers[strtolower($name)]);
    }

    public static function _is_callable(string $space, mixed $value, bool $syntax_only = false, ?string &$name = null): bool {
        if (is_string($value) && isset(self::$answers[strtolower($value)])) return self::_function_exists($space, $value);
        return \is_callable($value, $syntax_only, $name);
    }

    private static function known(callable $exists, string $space, string $name, bool $autoload): bool {
        return $exists($name, false) || $exists(self::in($space, $name), false) || $exists($name, $autoload);
    }

    public static function _class_exists(string $space, string $class, bool $autoload = true): bool {
        return self::known(\class_exists(...), $space, $class, $autoload);
    }

    public static function _interface_exists(string $space, string $interface, bool $autoload = true): bool {
        return self::known(\interface_exists(...), $space, $interface, $autoload);
    }

    public static function _trait_exists(string $space, string $trait, bool $autoload = true): bool {
        return self::known(\trait_exists(...), $space, $trait, $autoload);
    }

    public static function _enum_exists(string $space, string $enum, bool $autoload = true): bool {
        return self::known(\enum_exists(...), $space, $enum, $autoload);
    }

    public static function _spl_autoload_register(
        string $space, ?callable $callback = null, bool $throw = true, bool $prepend = false,
    ): bool {
        $load = fn ($class) => str_starts_with($class, "$space\\") ? $callback(substr($class, strlen($space) + 1)) : null;
        return \spl_autoload_register($callback ? $load : null, $throw, $prepend);
    }

    public static function _pcntl_fork(string $space): int {
        $child = \pcntl_fork();
        if ($child === 0) Host::$host->leave();
        return $child;
    }

    public static function _ini_set(string $space, string $option, mixed $value): string|false {
        return strtolower($option) === 'serialize_precision' ? false : \ini_set($option, $value); // JSON's numbers need -1
    }

    public static function _ini_alter(string $space, string $option, mixed $value): string|false {
        return self::_ini_set($space, $option, $value);
    }
}
