"""Declared parameters: legal values, error sentences, documentation, parts."""

import dataclasses
import inspect
import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import isthmus
from isthmus import hyperparameters, parts
from isthmus.errors import IsthmusError, ParameterError
from isthmus.legal import Either, Flag, Number, OneOf, PartOf, RandomState, Several
from isthmus.params import check, documented, like, param, parameters_of, part

PARTS = [getattr(parts, name) for name in parts.__all__]
ESTIMATORS = [cls for cls in (getattr(isthmus, name) for name in isthmus.__all__) if inspect.isclass(cls)]
PUBLIC = ESTIMATORS + PARTS
COUNT = Number(1, integer=True)


# ---------------------------------------------------------------- Number


@given(st.integers(-100, 100), st.integers(-100, 100), st.floats(-200, 200))
def test_a_number_is_accepted_exactly_within_its_closed_bounds(low, high, value):
    assert Number(low, high).accepts(value) == (low <= value <= high)


@given(st.integers(-100, 100), st.integers(-100, 100), st.integers(-100, 100))
def test_an_open_bound_is_not_itself_legal(low, high, value):
    assert Number(low, high, open=True).accepts(value) == (low < value < high)


@given(st.integers(-(10**12), 10**12))
def test_odd_means_odd(value):
    assert Number(integer=True, odd=True).accepts(value) == (value % 2 == 1)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, True, np.True_, "1", None, 1j, [1]])
def test_a_number_is_finite_real_and_no_truth_value(value):
    assert not Number().accepts(value)


@pytest.mark.parametrize("value", [1.0, np.float64(1), 1.5])
def test_an_integer_is_no_float(value):
    assert not COUNT.accepts(value)


@pytest.mark.parametrize("value", [np.int64(3), np.uint8(3), 3])
def test_numpy_integers_are_integers(value):
    assert COUNT.accepts(value)


@pytest.mark.parametrize("value", [np.float32(0.5), np.float64(0.5), np.int8(1), 1])
def test_numpy_numbers_are_numbers(value):
    assert Number(0, 1).accepts(value)


@pytest.mark.parametrize("value", [10**400, -(10**400), 2**63], ids=["positive", "negative", "no machine integer"])
def test_an_integer_too_large_for_a_machine_is_no_number(value):
    assert Number(integer=True).accepts(value) is False
    assert Number().accepts(value) is False


@pytest.mark.parametrize(
    ("legal", "words"),
    [
        (Number(), "a number"),
        (Number(integer=True), "an integer"),
        (Number(0), "a number of at least 0"),
        (Number(0, open=True), "a number above 0"),
        (Number(1, integer=True), "an integer of at least 1"),
        (Number(1, integer=True, odd=True), "an odd integer of at least 1"),
        (Number(0, 0.9), "a number in [0, 0.9]"),
        (Number(0, 1, open=True), "a number in (0, 1)"),
        (OneOf(("a", "b")), '"a" | "b"'),
        (Flag(), "True or False"),
        (Several(COUNT), "a tuple (any number of them), each an integer of at least 1"),
        (Several(COUNT, 2, 3), "a tuple (2 to 3 of them), each an integer of at least 1"),
        (PartOf("network"), "a network part"),
        (PartOf("penalty", several=True), "a tuple of penalty parts"),
        (RandomState(), "an integer in [0, 2**32 - 1] or a numpy RandomState"),
        (Either(Flag(), COUNT), "True or False or an integer of at least 1"),
    ],
)
def test_legal_values_say_themselves_in_words(legal, words):
    assert str(legal) == words


@given(st.integers())
def test_an_integer_is_read_back_from_its_text(value):
    assert Number(integer=True).parse(str(value)) == value


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_is_read_back_from_its_text(value):
    assert Number().parse(repr(value)) == value


@pytest.mark.parametrize("text", ["", "one", "1.5", "1e3"])
def test_text_that_is_no_integer_is_a_value_error(text):
    with pytest.raises(ValueError):  # noqa: PT011
        COUNT.parse(text)


# ---------------------------------------------------------------- the other kinds


@pytest.mark.parametrize(("value", "legal"), [("a", True), ("c", False), ("A", False), ("", False), (None, False)])
def test_one_of_some_words(value, legal):
    assert OneOf(("a", "b")).accepts(value) is legal


def test_words_are_taken_as_they_are():
    assert OneOf(("a", "b")).parse("c") == "c"


@pytest.mark.parametrize(("value", "legal"), [(True, True), (False, True), (1, False), (0, False), ("true", False)])
def test_a_flag_is_a_truth_value(value, legal):
    assert Flag().accepts(value) is legal


@pytest.mark.parametrize(
    ("text", "value"), [("true", True), ("YES", True), ("1", True), ("False", False), ("no", False), ("0", False)]
)
def test_a_flag_reads_truth_values(text, value):
    assert Flag().parse(text) is value


def test_a_flag_refuses_other_text():
    with pytest.raises(ValueError, match="perhaps"):
        Flag().parse("perhaps")


@pytest.mark.parametrize("value", [(), (1,), [1, 2, 3], np.array([4, 5])])
def test_several_takes_tuples_lists_and_arrays(value):
    assert Several(COUNT).accepts(value)


@pytest.mark.parametrize("value", ["12", 12, None, (0,), (1, 1.5), ("1",), iter((1, 2))])
def test_several_refuses_what_is_no_sequence_of_legal_items(value):
    assert not Several(COUNT).accepts(value)


@given(st.integers(0, 6))
def test_several_minds_its_length(length):
    assert Several(COUNT, 2, 4).accepts((1,) * length) == (2 <= length <= 4)


@given(st.lists(st.integers(1, 10**6), min_size=1))
def test_several_are_read_with_commas_between_them(values):
    assert Several(COUNT).parse(",".join(map(str, values))) == tuple(values)


@pytest.mark.parametrize("text", ["", "none", "None"])
def test_nothing_and_none_are_the_empty_sequence(text):
    assert Several(COUNT).parse(text) == ()


def test_a_part_of_a_kind_is_an_instance_whose_class_names_that_kind():
    assert PartOf("network").accepts(parts.Dense())
    assert not PartOf("network").accepts(parts.Point())
    assert not PartOf("network").accepts(parts.Dense)
    assert not PartOf("network").accepts("network")


def test_several_parts_are_a_tuple_or_list_of_them():
    legal = PartOf("reconstruction", several=True)
    assert legal.accepts(())
    assert legal.accepts([parts.Huber(), parts.SquaredError()])
    assert not legal.accepts(parts.Huber())
    assert not legal.accepts((parts.Huber(), parts.Point()))


def test_parts_are_not_for_the_command_line():
    with pytest.raises(ValueError, match="Dense"):
        PartOf("network").parse("Dense")


@pytest.mark.parametrize("value", [0, 42, 2**32 - 1, np.int64(7), np.random.RandomState(0)])
def test_a_random_state_is_a_seed_or_numpys(value):
    assert RandomState().accepts(value)


@pytest.mark.parametrize("value", [-1, 2**32, 0.0, True, "0", None, np.random.default_rng(0)])
def test_nothing_else_is_a_random_state(value):
    assert not RandomState().accepts(value)


def test_a_seed_is_read_as_an_integer():
    assert RandomState().parse("17") == 17


@pytest.mark.parametrize(("value", "legal"), [(True, True), (3, True), (-1, False), ("x", False)])
def test_either_is_legal_in_one_of_two_ways(value, legal):
    assert Either(Flag(), Number(0, integer=True)).accepts(value) is legal


def test_either_reads_the_text_the_first_way():
    assert Either(OneOf(("a",)), PartOf("network")).parse("a") == "a"


# ---------------------------------------------------------------- the error sentence


@dataclass
class Toy:
    size: int = param(3, COUNT, "How large.", positional=True)
    rate: float | None = param(None, Number(0, 1), "How fast.", none="as fast as it goes")
    word: str = param("a", OneOf(("a", "b")), "Which.")
    note: str = "no parameter"


def test_the_error_says_owner_parameter_legal_values_and_what_came():
    with pytest.raises(ParameterError) as caught:
        check(Toy(size=0))
    assert str(caught.value) == "Toy: size must be an integer of at least 1; got 0"


def test_the_error_says_what_none_stands_for():
    with pytest.raises(ParameterError) as caught:
        check(Toy(rate=2))
    assert str(caught.value) == "Toy: rate must be a number in [0, 1], or None for as fast as it goes; got 2"


def test_none_is_legal_only_where_it_stands_for_something():
    check(Toy(rate=None))
    with pytest.raises(ParameterError, match="size must be an integer of at least 1; got None"):
        check(Toy(size=None))


def test_a_parameter_error_is_a_value_error_and_a_type_error():
    assert issubclass(ParameterError, (IsthmusError,))
    assert issubclass(ParameterError, ValueError)
    assert issubclass(ParameterError, TypeError)


def test_the_first_illegal_parameter_is_the_one_named():
    with pytest.raises(ParameterError, match="size"):
        check(Toy(size=0, word="c"))


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_every_estimator_refuses_nonsense_for_every_parameter_by_name(cls):
    for parameter in parameters_of(cls):
        with pytest.raises(ParameterError) as caught:
            check(cls(**{parameter.name: object}))
        message = str(caught.value)
        assert message.startswith(f"{cls.__name__}: {parameter.name} must be ")
        assert str(parameter.legal) in message
        assert message.endswith(f"got {object!r}")
        assert "\n" not in message


@pytest.mark.parametrize("cls", PUBLIC)
def test_every_default_is_legal(cls):
    check(cls())


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_an_estimator_stores_and_does_not_check_at_construction(cls):
    nonsense = object()
    assert cls(nonsense).code_size is nonsense


# ---------------------------------------------------------------- signatures


@pytest.mark.parametrize("cls", PUBLIC)
def test_declared_parameters_are_the_signature_in_its_order(cls):
    signature = inspect.signature(cls).parameters.values()
    declared = list(parameters_of(cls))
    assert [parameter.name for parameter in declared] == [parameter.name for parameter in signature]
    assert [parameter.default for parameter in declared] == [parameter.default for parameter in signature]


@pytest.mark.parametrize("cls", ESTIMATORS)
def test_only_code_size_is_positional_in_estimators(cls):
    kinds = {name: parameter.kind for name, parameter in inspect.signature(cls).parameters.items()}
    assert kinds.pop("code_size") is inspect.Parameter.POSITIONAL_OR_KEYWORD
    assert set(kinds.values()) == {inspect.Parameter.KEYWORD_ONLY}


def test_parameters_of_a_class_and_of_an_instance_are_the_same():
    assert list(parameters_of(Toy)) == list(parameters_of(Toy(size=7)))


def test_a_field_that_is_no_parameter_is_left_out():
    assert [parameter.name for parameter in parameters_of(Toy)] == ["size", "rate", "word"]


def test_like_takes_a_declaration_over():
    @dataclass
    class Other:
        rate: float | None = like(Toy, "rate", default=0.5)

    (theirs,) = (parameter for parameter in parameters_of(Toy) if parameter.name == "rate")
    (ours,) = parameters_of(Other)
    assert ours == dataclasses.replace(theirs, default=0.5)


@pytest.mark.parametrize("name", ["Dense", "Convolutional"])
def test_a_network_part_takes_what_the_estimator_takes(name):
    of_estimator = {parameter.name: parameter for parameter in parameters_of(getattr(hyperparameters, name))}
    for parameter in parameters_of(getattr(parts, name)):
        assert parameter.legal == of_estimator[parameter.name].legal


# ---------------------------------------------------------------- documentation


def sections_of(cls):
    lines = inspect.getdoc(cls).splitlines()
    return [line for line, rule in pairwise(lines) if line and set(rule) == {"-"}]


@pytest.mark.parametrize("cls", PUBLIC)
def test_every_parameter_is_in_the_docstring_with_its_legal_values_and_default(cls):
    text = inspect.getdoc(cls)
    for parameter in parameters_of(cls):
        assert f"\n{parameter.name} : {parameter.describe()}, default={parameter.default!r}\n    " in text


@pytest.mark.parametrize("cls", PUBLIC)
def test_sections_come_in_numpydocs_order_each_once(cls):
    order = ["Parameters", "Attributes", "References", "Examples"]
    found = sections_of(cls)
    assert found == [section for section in order if section in found]
    assert ("Parameters" in found) == bool(list(parameters_of(cls)))


@pytest.mark.parametrize("cls", PUBLIC)
def test_every_docstring_begins_with_a_sentence_of_one_line(cls):
    lines = inspect.getdoc(cls).splitlines()
    assert lines[0].endswith(".")
    assert lines[1:2] in ([], [""])


@pytest.mark.parametrize("cls", PUBLIC)
def test_help_is_a_sentence(cls):
    for parameter in parameters_of(cls):
        assert parameter.help.endswith(".")
        assert not parameter.none.endswith(".")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Toy.", "Toy.\n\nParameters\n----------\nsize : an integer of at least 1, default=3\n    How large."),
        (
            "Toy.\n\n    Attributes\n    ----------\n    a : int\n        A.",
            "Toy.\n\nParameters\n----------\nsize : an integer of at least 1, default=3\n    How large."
            "\n\nAttributes\n----------\na : int\n    A.",
        ),
        (
            "Toy.\n\n    Examples\n    --------\n    >>> 1\n    1",
            "Toy.\n\nParameters\n----------\nsize : an integer of at least 1, default=3\n    How large."
            "\n\nExamples\n--------\n>>> 1\n1",
        ),
    ],
)
def test_the_section_stands_behind_the_summary_and_before_the_other_sections(text, expected):
    @documented
    @dataclass
    class Small:
        __doc__ = text
        size: int = param(3, COUNT, "How large.")

    assert inspect.cleandoc(Small.__doc__) == expected


# ---------------------------------------------------------------- parts


@pytest.mark.parametrize("cls", PARTS)
def test_a_part_names_its_kind(cls):
    assert cls.kind in {"network", "layer", "bottleneck", "corruption", "reconstruction", "penalty", "schedule"}


@pytest.mark.parametrize("cls", PARTS)
def test_parts_compare_and_hash_by_their_parameters(cls):
    assert cls() == cls()
    assert hash(cls()) == hash(cls())


def test_parts_with_other_parameters_differ():
    assert parts.Huber(0.5) != parts.Huber(1.0)
    assert parts.Dense((5,)) != parts.Dense((6,))
    assert parts.SquaredError() != parts.AbsoluteError()


@pytest.mark.parametrize("cls", PARTS)
def test_a_part_is_frozen(cls):
    names = [parameter.name for parameter in parameters_of(cls)] or ["kind"]
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(cls(), names[0], None)


@pytest.mark.parametrize("cls", PARTS)
def test_a_part_prints_its_name_and_its_parameters(cls):
    values = [f"{parameter.name}={parameter.default!r}" for parameter in parameters_of(cls)]
    assert repr(cls()) == f"{cls.__name__}({', '.join(values)})"


def test_a_part_checks_its_parameters_when_it_is_made():
    with pytest.raises(ParameterError) as caught:
        parts.Huber(0)
    assert str(caught.value) == "Huber: delta must be a number above 0; got 0"
    with pytest.raises(ParameterError, match=r"Dense: hidden must be a tuple .* got \(0,\)"):
        parts.Dense((0,))
    with pytest.raises(ParameterError, match="Convolutional: kernel_size must be an odd integer of at least 1; got 4"):
        parts.Convolutional(kernel_size=4)
    with pytest.raises(ParameterError, match=r"Convolutional: channels .* got \(\)"):
        parts.Convolutional(())


def test_a_part_can_be_written_outside_the_package():
    @part
    class Weighted:
        """Weighted."""

        kind = "penalty"
        weight: float = param(1.0, Number(0), "How much.", positional=True)

    assert Weighted(2.0) == Weighted(weight=2.0)
    assert "weight : a number of at least 0, default=1.0" in Weighted.__doc__
    with pytest.raises(ParameterError, match="Weighted: weight"):
        Weighted(-1)
