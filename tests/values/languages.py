"""The languages whose hosts fuse wires, and the module of each that does what cases.py draws.

To add one: write `modules/hostile.EXT`, which does what `modules/hostile.py` does in the language's own way, and an
entry in LANGUAGES. `odd` are the values that only this language can make: those its host carries and those it refuses,
subclasses, cycles, what has no JSON. What a module does may depend on its message and its config alone, for in one
variant the host dies: it keeps values only to change them later.

What a host has to do (docs/data-contract.md, PROTOCOL.md section 7): take a value when it is sent, check it also where
nobody is behind the port, hand over what a wire would, keep a failed message as it was sent, give `config` and context
values by value, and count `max_turn_bytes` per handler call, what goes over fused wires too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

MODULES = Path(__file__).parent / "modules"


@dataclass(frozen=True)
class Language:
    """`styles`: by name, the text behind the module's that makes `act` its handler; "source ..." makes it a source."""

    runtime: str
    file: str
    odd: tuple[str, ...]
    styles: dict[str, str]
    words: tuple[str, ...] = ()  # what its module can do beyond cases.WORDS

    def code(self, style: str) -> str:
        """The text of a module."""
        return (MODULES / self.file).read_text(encoding="utf-8") + self.styles[style]


PYTHON_ODD = """
    datetime date time delta decimal fraction complex set frozenset deque nan inf minus_inf minus_zero tiny
    huge_float tenth wide_float int64 min_int64 uint64 below_int64 wide very_wide int54 surrogate surrogate_key nul
    int_key none_key bool_key float_key tuple_key bytes_key mixed_keys text_key text_keys enum_key tuple
    empty_tuple pair text number wide_number real real_nan row record failing ordered default counter chain
    user_dict proxy namespace enum enum_tuple int_enum text_enum object liar data class function module ellipsis
    iterator generator range error keys uuid path bytes no_bytes bytearray memory own_bytes own_bad_bytes
    own_escaped null none null_in cyclic_list cyclic_dict deep deep_limit deep_over very_deep empty empty_key
    big_text big_list long interned
"""
PYTHON_STYLES = {
    "plain": """

def run(message, context):
    return act(message, context)
""",
    "generator": """

def run(message, context):
    value = act(message, context)
    if isinstance(value, types.GeneratorType):
        yield from value
    else:
        yield value
        mutate(value)
""",
    "async": """

import asyncio


async def run(message, context):
    await asyncio.sleep(0)
    value = act(message, context)
    KEPT.append(value)
    return value
""",
    "source": """

def start(context):
    for number in range(context.get("number", 0), context.config["count"]):
        context.set("number", number + 1)
        yield act(wrapped(str(number), None), context)
""",
    "source async": """

async def start(context):
    for number in range(context.get("number", 0), context.config["count"]):
        context.set("number", number + 1)
        yield act(wrapped(str(number), None), context)
""",
}
NODE_ODD = """
    date bad_date date_in late map set weak regexp error odd_error params headers response form blob url point
    secret money rows iterator generator entries iterable boxed_number boxed_text boxed_in boxed_bigint nan
    infinity minus_zero minus_zero_in tiny huge tenth int53 int54 whole whole_in int64 bigint wide min over
    bigints surrogate surrogate_key nul undefined undefined_in undefined_field hole sparse symbol symbol_in
    symbol_key hidden only_hidden function class method promise_in thenable arguments math json to_json to_date
    to_self to_nothing to_json_in to_json_no getter throwing array_extra match null_proto own_proto inherits
    frozen sealed proxy proxy_array proxy_map other_realm other_array other_date bytes buffer part no_bytes
    own_bytes shared_bytes other_view view array_buffer own_object own_bad own_escaped own_two null_ nulls
    cyclic_list cyclic_object deep deep_limit deep_over very_deep bomb shared empty empty_key order big_text
    big_list long quotes controls
"""
NODE_STYLES = {
    "plain": "module.exports = act\n",
    "generator": """
module.exports = function* (message, context) {
  const value = act(message, context)
  if (value?.next && value.throw) yield* value
  else {
    yield value
    mutate(value)
  }
}
""",
    "async": """
module.exports = async (message, context) => {
  await null
  const value = act(message, context)
  KEPT.push(value)
  return value
}
""",
    "source": """
module.exports.start = function* (context) {
  for (let number = context.get('number', 0); number < context.config.count; number++) {
    context.set('number', number + 1)
    yield act(wrapped(String(number), null), context)
  }
}
""",
}
GO_ODD = """
    time times stamp duration nan infinity minus_zero tiny huge whole_float float32 nan32 int8 uint64 uint int64
    big wide number wide_number bad_number complex chan function surrogate bad_key nul null null_in nil nil_map
    nil_in pointer point points inside bad_raw hidden mutex two_fields empty_struct anonymous marshals
    marshals_null marshals_bad marshals_wide marshals_deep fails ip bytes bytes_in byte_array runes named
    own_bytes own_escaped int_keys any_keys bool_keys time_keys text_map error circle round deep deep_limit
    deep_over very_deep bomb shared empty_key big_text big_list long quotes
"""
GO_STYLES = {
    "plain": """
// Run does as the program says.
func Run(c *flow.Context, m any) (any, error) { return act(c, m) }
""",
    "typed": """
type sent struct {
	Case string  `json:"case"`
	V    any     `json:"v"`
	Half float32 `json:"half"`
	More *sent   `json:"more,omitempty"`
}

// Run does as the program says and keeps what it has sent.
func Run(c *flow.Context, m any) (*sent, error) {
	value, err := act(c, m)
	if err != nil || value == nil {
		return nil, err
	}
	result := &sent{Case: caseOf(m), V: value, Half: 0.5, More: &sent{V: []any{value}}}
	keep(c, value)
	return result, nil
}
""",
    "source": """
// Start makes as many messages as config says.
func Start(c *flow.Context) (flow.Source, error) {
	number := c.Get("number", 0).(int64)
	count := c.Config().(map[string]any)["count"].(int64)
	return func() (any, bool, error) {
		if number == count {
			return nil, false, nil
		}
		c.Set("number", number+1)
		value, err := act(c, wrapped(fmt.Sprint(number), nil))
		number++
		return value, true, err
	}, nil
}
""",
}
RUBY_ODD = """
    time date datetime decimal rational complex set symbol symbols range regexp struct nan inf minus_zero tiny
    huge_float tenth wide_float int64 min_int64 uint64 below_int64 wide int54 surrogate bad_text bad_key ascii
    latin wide_text latin_key utf7 nul int_key nil_key symbol_key both_keys two_latin_keys identity identities
    bytes_key text text_key row record default object class lambda method basic error bytes no_bytes ascii_bytes
    own_bytes own_bad_bytes own_escaped symbol_bytes null nil null_in cyclic_list cyclic_hash deep deep_limit
    deep_over very_deep empty empty_key big_text big_list long frozen shared extended
"""
RUBY_STYLES = {
    "plain": """

def run(message, context) = act(message, context)
""",
    "generator": """

def run(message, context)
  value = act(message, context)
  return value if value.is_a?(Enumerator)
  Enumerator.new do |out|
    out << value
    mutate(value)
  end
end
""",
}
PHP_ODD = """
    date immutable interval array_object record text_object closure enum plain_enum stream error nan inf
    minus_zero tiny huge_float tenth wide_float int64 min_int64 over_int64 int54 bad_text surrogate bad_key nul
    nul_key first_nul_key int_keys list_keys text_int_keys int_property list_object negative_key bytes no_bytes
    own_bytes own_bad_bytes own_escaped null nothing null_in empty_list empty empty_key cyclic_list
    cyclic_object deep deep_limit deep_over very_deep referenced shared generator big_text big_list long slash
    true_false
"""
PHP_STYLES = {
    "plain": """

function run($message, $context) {
    return act($message, $context);
}
""",
    "generator": """

function run($message, $context) {
    $value = act($message, $context);
    if ($value instanceof Generator) yield from $value;
    else yield $value;
    mutate($value);
}
""",
}
RUST_ODD = """
    u64_max u64_over i64_max i64_min i128 f32 f32s nan nan_f32 infinity minus_zero tiny huge whole wide int_keys
    float_keys list_keys none_keys unit_keys char_keys unit unit_struct newtype newtype_over tuple_struct struct
    shapes tuple empty_tuple bytes own_bytes bad_bytes escaped failing system_time duration none null deep
    deep_limit deep_over big_text big_list long special empty_key
"""
RUST_STYLES = {
    "plain": """

pub fn run(message: Value, context: &mut Context) -> Result<Option<V>> {
    act(message, context)
}
""",
    "value": """

pub fn run(message: Value, context: &mut Context) -> Result<Option<Value>> {
    match act(message, context)? {
        Some(V::Json(value)) => Ok(Some(value)),
        Some(value) => context.send("out", value).map(|()| None),
        None => Ok(None),
    }
}
""",
    "source": """

pub fn start(_: &mut Context) -> Result<Source> {
    Ok(Source::turns(|context| {
        let number = context.get_or("number", 0)?;
        if json!(number) == context.config()["count"] {
            return Ok(false);
        }
        context.set("number", number + 1)?;
        if let Some(value) = act(json!([number.to_string(), null]), context)? {
            context.send("out", value)?;
        }
        Ok(true)
    }))
}
""",
}
LISP_ODD = """
    ratio complex symbol keyword character structure instance function package pathname condition stream nan
    infinity minus_zero tiny huge tenth single single_half whole wide int64 min_int64 over_int64 below_int64
    int54 surrogate surrogate_key nul base_text filled_text displaced int_key symbol_key filled_key eq_keys
    two_keys equalp_keys list dotted alist bits doubles filled_vector matrix bytes no_bytes filled_bytes
    own_bytes own_bad_bytes escaped null nil_in nothing true empty empty_vector empty_key cyclic_vector
    cyclic_table cyclic_list deep deep_limit deep_over very_deep shared big_text big_list long special
"""
LISP_STYLES = {
    "plain": """

(lambda (message context) (act message context))
""",
    "source": """

(defun start (context)
  (make-source (lambda ()
                 (let ((number (context-get context "number" 0)))
                   (when (< number (gethash "count" (context-config context)))
                     (context-set context "number" (1+ number))
                     (values (act (vector (format nil "~d" number) :null) context) t))))))
""",
}
CONSUMERS = {  # of messages that nothing is done with, in those languages that need not be compiled for it
    "python3": "def run(message, context): pass",
    "node": "module.exports = () => undefined",
    "ruby": "def run(message, context) = nil",
    "php": "function run($message, $context) {}",
    "sbcl": "(lambda (message context) (declare (ignore message context)) nil)",
}
LANGUAGES = {
    language.runtime: language
    for language in (
        Language(
            "python3", "hostile.py", tuple(PYTHON_ODD.split()), PYTHON_STYLES, ("tuple", "yields")
        ),
        Language("node", "hostile.js", tuple(NODE_ODD.split()), NODE_STYLES, ("yields",)),
        Language("go", "hostile.go", tuple(GO_ODD.split()), GO_STYLES),
        Language("ruby", "hostile.rb", tuple(RUBY_ODD.split()), RUBY_STYLES, ("yields",)),
        Language("php", "hostile.php", tuple(PHP_ODD.split()), PHP_STYLES, ("yields",)),
        Language("rust", "hostile.rs", tuple(RUST_ODD.split()), RUST_STYLES),
        Language("sbcl", "hostile.lisp", tuple(LISP_ODD.split()), LISP_STYLES),
    )
}  # fmt: skip
