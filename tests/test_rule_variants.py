"""Networks of training frameworks in the comparison, the ladder and the command line."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

import eventsim as es
from eventsim import Dense, Discretization, Input, Network
from eventsim.analog import analog_currents
from eventsim.cli import main
from eventsim.discrete.counterpart import Options, counterpart
from eventsim.errors import UnsupportedNetwork
from eventsim.fidelity.rule_variants import changed_networks, changed_rules
from eventsim.step_rule import StepRule

DT = 1e-3
LEAKY = StepRule("snntorch.Leaky", leak=0.9, reset="subtract", reset_time="next")
CUBA = StepRule("snntorch.Synaptic", leak=0.9, synapse="factor", synapse_leak=0.8)
COUNTS = StepRule("sinabs.LIF", leak=0.9, reset="subtract", max_spikes=2**16)


def network(
    rule: StepRule, *, recurrent: bool = False, encoder: str = "bernoulli", steps: int = 12
) -> tuple[Network, Discretization]:
    """Two layers that turn bright pixels into many spikes of their own class."""
    rng = np.random.default_rng(7)
    made = {name: counterpart(rule, name, n, DT) for name, n in (("hidden", 12), ("out", 3))}
    receptor = made["out"].receptor
    first = rng.normal(0.1, 0.4, (9, 12)) * made["hidden"].gain
    second = rng.normal(0.1, 0.5, (12, 3)) * made["out"].gain
    links: list[Any] = [
        Dense("image", "hidden", first, receptor=receptor),
        Dense("hidden", "out", second, receptor=receptor),
    ]
    if recurrent:
        again = rng.normal(0, 0.2, (12, 12)) * made["hidden"].gain
        links.append(Dense("hidden", "hidden", again, delay=DT, receptor=receptor))
    net = Network([Input("image", 9), *(m.population for m in made.values())], links)
    cells = {"hidden": rule, "out": rule}
    return net, Discretization(
        "framework", dt=DT, steps=steps, cells=cells, spread=0.0, encoder=encoder, dtype="float32"
    )


def images() -> tuple[Any, Any]:
    rng = np.random.default_rng(3)
    labels = np.arange(12) % 3
    pixels = rng.uniform(0, 0.3, (12, 9))
    pixels[np.arange(12)[:, None], labels[:, None] * 3 + np.arange(3)] += 0.6
    return pixels, labels


@pytest.mark.parametrize("encoder", ["bernoulli", "constant"])
@pytest.mark.parametrize("rule", [LEAKY, CUBA, COUNTS], ids=lambda rule: rule.label)
def test_ladder_names_what_a_rule_decides(rule: StepRule, encoder: str) -> None:
    net, disc = network(rule, encoder=encoder)
    report = es.attribute(net, disc, *images(), extends=[])
    rungs = {rung.name: rung for rung in report.rungs}
    assert rungs["Euler time constants"].reference == "continuous"
    assert rungs["t_ref of 1 step"].reference == "continuous"
    assert ("coarse, reset in the same step" in rungs) == (rule.reset_time == "next")
    assert ("one spike an instant" in rungs) == (rule.max_spikes > 1)
    assert ("coarse, one spike a step" in rungs) == (rule.max_spikes > 1)
    assert "endcheck" not in rungs or rule.synapse is None
    assert rungs["continuous"].layers[-1].rate > 0
    assert {effect.before for effect in report.effects} <= set(rungs)
    named = "exponential synapses" if rule.synapse else "delta synapses"
    assert report.settings["synapse"] == named


def test_recurrent_network() -> None:
    """Rungs that go layer by layer are left out; delays and the rest are variants."""
    net, disc = network(LEAKY, recurrent=True)
    names = [rung.name for rung in es.attribute(net, disc, *images(), extends=[]).rungs]
    assert names[:3] == ["coarse", "second draw", "continuous"]
    assert {"recurrent delay x 0.5", "recurrent delay x 2"} <= set(names)


def test_changes_are_single() -> None:
    net, disc = network(LEAKY, recurrent=True)
    for change in changed_rules(disc):
        for name, cell in change.value.cells.items():
            before, after = disc.cells[name].to_dict(), cell.to_dict()
            different = {k for k in before | after if before.get(k) != after.get(k)}
            assert len(different) == 1
    found = {change.name: change.value for change in changed_networks(net, disc)}
    assert found["t_ref of 1 step"]["out"].t_ref == DT
    assert found["Euler time constants"]["out"].tau_mem == pytest.approx(DT / 0.1)
    assert found["recurrent delay x 2"].projections[2].delay == 2 * DT
    euler = counterpart(LEAKY, "out", 3, DT, Options(decay="euler")).population
    other = net.replace("out", tau_mem=euler.tau_mem).replace("hidden", tau_mem=euler.tau_mem)
    again = {change.name: change.value for change in changed_networks(other, disc)}
    assert again["exact time constants"]["out"].tau_mem == net["out"].tau_mem


def test_coarse_rules_have_no_such_variants() -> None:
    net, disc = network(LEAKY)
    plain = dataclasses.replace(disc, cells={}, rule="lif")
    assert changed_rules(plain) == [] and changed_networks(net, plain) == []


def test_analog_current_brings_the_charge_of_a_step() -> None:
    """Without leak, the potential after a step is what the twin has after it."""
    rule = StepRule("a", leak=1.0, v_threshold=np.inf, reset="none")
    made = counterpart(rule, "out", 2, DT)
    net = Network([Input("image", 2), made.population], [Dense("image", "out", np.eye(2))])
    disc = Discretization(
        "framework", dt=DT, steps=3, cells={"out": rule}, encoder="constant", encoder_scale=0.5
    )
    (currents,) = analog_currents(net, disc, [[1.0, 0.25]])
    result = es.simulate(net, {}, t_stop=3 * DT, currents=currents, record_v={"out": [0, 1]})
    twin = disc.run(net, [[1.0, 0.25]], record="potential")
    assert result.v["out"].at(2 * DT).ravel() == pytest.approx(twin[0, 1], rel=1e-12)


def test_forecast_refuses_rules_it_was_not_measured_on() -> None:
    net, disc = network(LEAKY)
    with pytest.raises(UnsupportedNetwork, match=r"snntorch\.Leaky"):
        es.forecast(net, disc, images()[0])


def test_readout_without_threshold_gives_its_potentials() -> None:
    rule = StepRule("a", leak=0.9, v_threshold=np.inf, reset="none")
    made = counterpart(rule, "out", 3, DT)
    net = Network([Input("image", 9), made.population], [Dense("image", "out", np.ones((9, 3)))])
    disc = Discretization("framework", dt=DT, steps=3, cells={"out": rule})
    report = es.validate(net, disc, *images())
    assert (report.settings["decoder"], report.coarse.layers) == ("mean", ())


def test_command_line_validates_a_saved_network(tmp_path: Path) -> None:
    """The rules travel with the file."""
    net, disc = network(LEAKY)
    es.save(tmp_path / "net.h5", net, disc)
    loaded, again = es.load(tmp_path / "net.h5")
    assert again == disc and loaded.fingerprint() == net.fingerprint()
    pixels, labels = images()
    np.savez(tmp_path / "data.npz", images=pixels, labels=labels)
    done = CliRunner().invoke(
        main,
        ["validate", str(tmp_path / "net.h5"), "--data", str(tmp_path / "data.npz"),
         "--report", str(tmp_path / "report.html"), "--json", str(tmp_path / "report.json")],
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    page = (tmp_path / "report.html").read_text()
    assert "snntorch.Leaky" in page and "Euler time constants" in page


def test_amounts_go_with_the_reset_that_subtracts() -> None:
    """Without it a rule goes to its v_reset, and so does its continuous form."""
    rule = StepRule("sinabs.IAF", leak=1.0, reset="subtract", v_subtract=0.75)
    net, disc = network(rule)
    assert net["out"].array("v_reset").tolist() == [0.25] * 3
    changed = {change.name: change for change in changed_networks(net, disc)}
    assert changed["reset to a value"].value["out"].array("v_reset").tolist() == [0.0] * 3
    rules = {change.name: change for change in changed_rules(disc)}
    assert rules["coarse, reset to a value"].value.cells["out"].v_subtract == 0.0
