"""The ground by itself: what counts as a change, what an edit of somebody's comes to, what is carried on."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import msgspec
import pytest
from quick_world import VALUES, FakeClock, QuickWorld

from mimir_migrate.documents import edits as file_edits
from mimir_migrate.engine import ground as module
from mimir_migrate.engine.ground import Ground
from mimir_migrate.engine.memory import MemoryJournal
from mimir_migrate.errors import DocumentError
from mimir_migrate.model.events import EditsRemade, FactsChanged, RollbackJudged
from mimir_migrate.model.facts import Inspection
from mimir_migrate.model.plan import FactChange, Plan, PlanFact, Step
from mimir_migrate.plans.facts import file_fact

FILE = file_fact(VALUES)
IMAGES = FactChange(name="images", before="a", after="b", matters=True)
ACCOUNT = FactChange(name="account", before="a", after="b", matters=True)
CHART = FactChange(name="a chart", before="a", after="b", matters=False)


@pytest.fixture(scope="module")
def planned() -> tuple[Plan, Inspection, bytes]:
    """A plan with its facts, what was seen, and the values file."""
    world = QuickWorld()
    plan = world.start()
    return plan, world.inspect(), world.files[VALUES]


class Scene:
    """A ground, and the world that it is held against."""

    def __init__(self, plan: Plan, seen: Inspection, content: bytes | None) -> None:
        self.plan, self.seen, self.content = plan, seen, content
        self.journal = MemoryJournal("run-1", FakeClock())
        self.found: tuple[FactChange, ...] = ()
        self.fails: list[str] = []
        """Paths of files that cannot be read while facts are compared."""
        self.reads = 0
        self.ground = Ground(plan, drift=self._drift, files=self, journal=self.journal)

    def _drift(self, plan: Plan, inspection: Inspection) -> tuple[FactChange, ...]:
        if self.fails:
            raise DocumentError("cannot be read", path=self.fails.pop(0))
        return self.found

    def read(self, path: str) -> bytes:
        """The values file."""
        self.reads += 1
        if self.content is None or path != VALUES:
            raise DocumentError("cannot be read: no such file", path=path)
        return self.content

    def exists(self, path: str) -> bool:
        """Whether it is there."""
        return path == VALUES and self.content is not None

    def edited(self, change: Callable[[bytes], bytes]) -> FactChange:
        """Edit the file; what its fact is."""
        assert self.content is not None
        before = file_edits.sha256(self.content)
        self.content = change(self.content)
        change_ = FactChange(
            name=FILE, before=before, after=file_edits.sha256(self.content), matters=True
        )
        self.found = (change_,)
        return change_

    def of(self, kind: type) -> list[object]:
        """Events of one kind."""
        found = [one.event for one in self.journal.events()]
        return [one for one in found if isinstance(one, kind)]

    def step(self, name: str) -> Step:
        """A step of the ground's plan."""
        return next(one for one in self.ground.plan.steps if one.id == name)

    def fact(self, name: str) -> str | None:
        """A fact of the ground's plan."""
        return next((one.value for one in self.ground.plan.facts if one.name == name), None)


@pytest.fixture
def scene(planned: tuple[Plan, Inspection, bytes]) -> Iterator[Scene]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "blocked_from_here", lambda *_: "")
        yield Scene(*planned)


def commented(content: bytes) -> bytes:
    """A comment more."""
    return b"# mine\n" + content


OTHER = "other.yaml"


class TwoFiles(Scene):
    """The same with a file more, which no step edits."""

    def __init__(
        self, plan: Plan, seen: Inspection, content: bytes, files: tuple[str, ...]
    ) -> None:
        self.other = b"a: 1\n"
        fact = PlanFact(
            name=file_fact(OTHER), value=file_edits.sha256(self.other), matters=True, why=""
        )
        values = msgspec.structs.replace(plan.target.values, files=files)
        target = msgspec.structs.replace(plan.target, values=values)
        plan = msgspec.structs.replace(plan, target=target, facts=(*plan.facts, fact))
        super().__init__(plan, seen, content)

    def read(self, path: str) -> bytes:
        """One of the two."""
        return self.other if path == OTHER else super().read(path)


def test_each_file_is_looked_at_whatever_became_of_another(
    planned: tuple[Plan, Inspection, bytes],
) -> None:
    """One that is as it was, and one in which the edits do not fit."""
    scene = TwoFiles(*planned, files=(OTHER, VALUES))
    scene.edited(commented)
    scene.ground.fit("both")
    assert scene.of(EditsRemade) == [EditsRemade(step="both", paths=(VALUES,))]
    scene = TwoFiles(*planned, files=(VALUES, OTHER))
    scene.edited(lambda content: content.replace(b"store: memberlist", b'store: "memberlist"'))
    scene.other = commented(scene.other)
    scene.ground.fit("both")
    assert scene.of(EditsRemade) == [EditsRemade(step="both", paths=(OTHER,))]


def test_a_ground_is_of_the_plan_unless_it_is_said_to_be_of_this_runner(scene: Scene) -> None:
    """Only a plan that this runner made is `anew`."""
    assert scene.ground.anew is False


def test_facts_that_matter_come_first_then_by_name(scene: Scene) -> None:
    """Whatever order they were found in."""
    scene.found = (CHART, IMAGES, ACCOUNT)
    assert scene.ground.changes(scene.seen) == (ACCOUNT, IMAGES, CHART)


def test_what_is_not_told_is_no_change(scene: Scene) -> None:
    """A fact that matters and that nobody knows now is what gates wait for."""
    unknown = msgspec.structs.replace(IMAGES, after="")
    gone = msgspec.structs.replace(CHART, after=None)
    scene.found = (unknown, gone)
    assert scene.ground.changes(scene.seen) == (gone,)


def test_a_file_that_cannot_be_read_is_all_that_counts(scene: Scene) -> None:
    """With the bytes that were expected."""
    expected = scene.fact(FILE)
    scene.found, scene.content = (IMAGES,), None
    (lost,) = scene.ground.changes(scene.seen)
    assert lost == FactChange(
        name=FILE, before=expected, after=None, matters=True, why="it cannot be read"
    )


def test_a_file_that_goes_away_while_it_is_compared_is_told(scene: Scene) -> None:
    """Also where it is there again at once; a file that is none of the plan's is an error."""
    scene.fails = [VALUES]
    (lost,) = scene.ground.changes(scene.seen)
    assert (lost.name, lost.why) == (FILE, "it cannot be read")
    scene.fails = ["else.yaml"]
    with pytest.raises(DocumentError):
        scene.ground.changes(scene.seen)


def test_the_journal_follows_what_matters_and_nothing_else(scene: Scene) -> None:
    """What does not matter is told beside it, and makes no event of its own."""
    scene.found = (CHART,)
    assert scene.ground.see("swap", scene.seen) == ()
    assert scene.of(FactsChanged) == []
    scene.found = (CHART, IMAGES)
    assert scene.ground.see("swap", scene.seen) == (IMAGES, CHART)
    assert scene.ground.changed == (IMAGES,)
    scene.found = (IMAGES,)
    assert scene.ground.see("swap", scene.seen) == (IMAGES,)
    scene.found = (CHART,)
    assert scene.ground.see("swap", scene.seen) == ()
    assert scene.ground.changed == ()
    assert scene.of(FactsChanged) == [
        FactsChanged(step="swap", changes=(IMAGES, CHART)),
        FactsChanged(step="swap", changes=()),
    ]


def test_a_rollback_that_cannot_be_planned_is_told_when_two_looks_agree(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That it can again is told at once; while a file cannot be read nothing is judged."""
    answers = iter(["a", "b", "b", "b", "", "c", "", ""])
    monkeypatch.setattr(module, "blocked_from_here", lambda *_: next(answers))
    kept, scene.content = scene.content, None
    scene.ground.see("both", scene.seen)
    scene.content = kept
    told = []
    for _ in range(8):
        scene.ground.see("swap", scene.seen)
        told.append(len(scene.of(RollbackJudged)))
    assert told == [0, 0, 1, 1, 2, 2, 2, 2]
    assert scene.of(RollbackJudged) == [
        RollbackJudged(step="swap", blocked="b"),
        RollbackJudged(step="swap", blocked=""),
    ]


def test_files_are_compared_only_where_they_were_touched(scene: Scene) -> None:
    """With what was seen last; before anything was seen there is nothing to compare."""
    scene.found = (IMAGES,)
    scene.ground.see_files("swap")
    scene.found = ()
    scene.ground.see("swap", scene.seen)
    scene.found = (IMAGES,)
    scene.ground.see_files("swap")
    assert scene.of(FactsChanged) == []
    assert scene.content is not None
    scene.content = commented(scene.content)
    scene.ground.see_files("swap")
    assert scene.of(FactsChanged) == [FactsChanged(step="swap", changes=(IMAGES,))]


def test_a_comment_matters_to_nobody(scene: Scene) -> None:
    """It is told as such beside what matters."""
    scene.edited(commented)
    (found,) = scene.ground.changes(scene.seen)
    assert (found.matters, found.why) == (False, "it says the same as before")


def test_a_setting_matters_with_its_place(scene: Scene) -> None:
    """Up to six places; the others are counted."""
    scene.edited(lambda content: content.replace(b"num_tokens: 8", b"num_tokens: 16", 1))
    (found,) = scene.ground.changes(scene.seen)
    place = "config.ingester.lifecycler.num_tokens"
    assert (found.matters, found.why) == (True, f"the next deploy would bring another {place}")
    scene.edited(lambda content: content + b"".join(b"k%d: 1\n" % n for n in range(5)))
    (found,) = scene.ground.changes(scene.seen)
    assert found.why.endswith("k4")
    scene.edited(lambda content: content + b"l: 1\nm: 1\n")
    (found,) = scene.ground.changes(scene.seen)
    assert found.why.endswith(" and 2 more")
    assert found.why.count(", ") == 5


def test_a_file_that_is_not_yaml_any_more_matters(scene: Scene) -> None:
    """So does one around which the edits that are left cannot be made."""
    scene.edited(lambda content: content + b"a: [1\n")
    (found,) = scene.ground.changes(scene.seen)
    assert (found.matters, found.why) == (True, "it is not YAML any more")


def test_a_layout_in_which_the_edits_do_not_fit_matters(scene: Scene) -> None:
    """It says the same, and the next step could not be made in it."""
    scene.edited(lambda content: content.replace(b"store: memberlist", b'store: "memberlist"'))
    (found,) = scene.ground.changes(scene.seen)
    assert (found.matters, found.why) == (
        True,
        "the edits that are left do not fit it any more",
    )


def test_a_file_that_was_not_as_planned_from_the_start_is_not_weighed(
    planned: tuple[Plan, Inspection, bytes],
) -> None:
    """There is nothing to compare its meaning with, so that its bytes count."""
    plan, seen, content = planned
    scene = Scene(plan, seen, commented(content))
    change = scene.edited(commented)
    assert scene.ground.changes(seen) == (change,)


def test_what_was_judged_once_is_not_judged_again(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hold of hours compares a file's meaning once."""
    judged: list[bytes] = []
    usual = module.edited_paths

    def paths(before: bytes, after: bytes) -> tuple[str, ...] | None:
        judged.append(after)
        return usual(before, after)

    monkeypatch.setattr(module, "edited_paths", paths)
    scene.edited(commented)
    for _ in range(3):
        scene.ground.changes(scene.seen)
    assert len(judged) == 1


def test_edits_are_made_again_around_a_comment(scene: Scene) -> None:
    """Each step that is left has edits of the new bytes, and the plan expects those."""
    assert scene.content is not None
    scene.edited(commented)
    now = scene.content
    scene.ground.fit("both")
    assert scene.of(EditsRemade) == [EditsRemade(step="both", paths=(VALUES,))]
    assert scene.fact(FILE) == file_edits.sha256(now)
    for name in ("both", "swap", "settle"):
        for edit in scene.step(name).edits:
            now = file_edits.apply(edit, now)
    assert now.startswith(b"# mine\n")
    scene.ground.fit("both")
    assert len(scene.of(EditsRemade)) == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content,
        lambda content: content.replace(b"num_tokens: 8", b"num_tokens: 16", 1),
        lambda content: content.replace(b"store: memberlist", b'store: "memberlist"'),
    ],
)
def test_no_edit_is_made_again_around_anything_else(
    scene: Scene, change: Callable[[bytes], bytes]
) -> None:
    """Nothing changed, a setting did, or they do not fit: the plan stays as it is."""
    before = scene.ground.plan
    scene.edited(change)
    scene.ground.fit("both")
    assert scene.of(EditsRemade) == []
    assert scene.ground.plan == before
    scene.content = None
    scene.ground.fit("both")
    assert scene.ground.plan == before


def test_the_edits_of_steps_that_began_are_not_made_again(scene: Scene) -> None:
    """What a step wrote is behind it; the others are made around it."""
    both = scene.step("both")
    scene.ground.begin(both)
    (edit,) = both.edits
    assert scene.content is not None
    scene.content = file_edits.apply(edit, scene.content)
    scene.ground.wrote(edit)
    assert scene.fact(FILE) == file_edits.sha256(scene.content)
    scene.edited(commented)
    scene.ground.fit("swap")
    assert scene.of(EditsRemade) == [EditsRemade(step="swap", paths=(VALUES,))]
    assert scene.step("both") == both
    now = scene.content
    for name in ("swap", "settle"):
        for one in scene.step(name).edits:
            now = file_edits.apply(one, now)
    assert now.startswith(b"# mine\n")


def test_what_a_file_came_to_is_judged_again_once_a_step_wrote_it(scene: Scene) -> None:
    """A comment changed nothing before; put back as it was then, the file takes the step back."""
    assert scene.content is not None
    scene.edited(commented)
    early = scene.content
    (found,) = scene.ground.changes(scene.seen)
    assert not found.matters
    scene.content = early.removeprefix(b"# mine\n")
    (edit,) = scene.step("both").edits
    scene.ground.begin(scene.step("both"))
    scene.ground.wrote(edit)
    scene.content = file_edits.apply(edit, scene.content)
    scene.edited(lambda _: early)
    (found,) = scene.ground.changes(scene.seen)
    assert found.matters


def test_a_step_s_own_changes_are_nobody_else_s(scene: Scene) -> None:
    """The rings that it moves and the tables that it makes, until it is over."""
    rings = tuple(
        FactChange(name=f"ring ruler: {what}", before="a", after="b", matters=True)
        for what in ("configuration", "primary")
    )
    other = FactChange(name="ring ingester: primary", before="a", after="b", matters=True)
    tables = scene.step("tables")
    table = FactChange(
        name=f"table {tables.tables[0].name}", before="absent", after="ring table", matters=True
    )
    scene.found = (*rings, other, table)
    assert set(scene.ground.changes(scene.seen)) == {*rings, other, table}
    scene.ground.begin(tables)
    assert set(scene.ground.changes(scene.seen)) == {*rings, other}
    scene.ground.carry(scene.seen)
    scene.ground.begin(scene.step("both"))
    assert set(scene.ground.changes(scene.seen)) == {other, table}
    scene.ground.let_rings_move()
    assert set(scene.ground.changes(scene.seen)) == {other, table}


def test_what_a_step_led_to_is_what_the_next_one_begins_on(scene: Scene) -> None:
    """Its own facts are as they were seen last; somebody else's stay as planned."""
    primary = "ring ruler: primary"
    before = scene.fact("images")
    scene.ground.begin(scene.step("both"))
    scene.found = (
        FactChange(name=primary, before="memberlist", after="dynamodb", matters=True),
        FactChange(name="images", before=before, after="other", matters=True),
    )
    scene.ground.carry(scene.seen)
    assert scene.fact(primary) == "dynamodb"
    assert scene.fact("images") == before
    kept = scene.fact("ring ruler: configuration")
    assert kept == next(f.value for f in scene.plan.facts if f.name == "ring ruler: configuration")


def test_without_a_look_a_step_s_own_facts_are_not_known_any_more(scene: Scene) -> None:
    """They are left out, so that nothing is held against them; what a look does not tell is left out too."""
    scene.ground.begin(scene.step("both"))
    scene.ground.carry(None)
    assert scene.fact("ring ruler: primary") is None
    assert scene.fact("images") is not None
    plain = [fact.name for fact in scene.plan.facts if not fact.matters]
    assert {fact.name for fact in scene.ground.plan.facts} >= set(plain)


def test_a_fact_that_a_look_does_not_tell_is_left_out(scene: Scene) -> None:
    """Of a step's own facts only."""
    scene.ground.begin(scene.step("both"))
    scene.found = (
        FactChange(name="ring ruler: primary", before="memberlist", after=None, matters=True),
        FactChange(name="images", before="a", after=None, matters=True),
    )
    scene.ground.carry(scene.seen)
    assert scene.fact("ring ruler: primary") is None
    assert scene.fact("images") is not None


def test_what_does_not_matter_is_carried_as_it_was_seen(scene: Scene) -> None:
    """Operators compare with the last look, not with the plan's day."""
    plain = next(fact for fact in scene.plan.facts if not fact.matters)
    scene.found = (FactChange(name=plain.name, before=plain.value, after="new", matters=False),)
    scene.ground.carry(scene.seen)
    assert scene.fact(plain.name) == "new"


def test_a_file_that_the_ground_does_not_know_is_not_followed(
    planned: tuple[Plan, Inspection, bytes],
) -> None:
    """What was written into it tells nothing of its bytes."""
    plan, seen, content = planned
    scene = Scene(plan, seen, commented(content))
    (edit,) = scene.step("both").edits
    scene.ground.wrote(edit)
    assert scene.ground.plan == plan
