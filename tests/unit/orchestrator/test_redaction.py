"""orchestrator.redaction: no secret in what is written for others."""

from __future__ import annotations

from orchestrator.redaction import REDACTED, Redactor, without_environment


def test_secrets_go_in_upper_and_lower_case() -> None:
    redactor = Redactor(["ab12", "token+/=", ""])
    assert redactor.clean("x ab12 AB12 token+/= y") == f"x {REDACTED} {REDACTED} {REDACTED} y"


def test_a_secret_within_another_one_leaves_nothing_of_the_longer() -> None:
    assert Redactor(["abc", "abcdef"]).clean("abcdef") == REDACTED


def test_without_secrets_nothing_changes() -> None:
    assert Redactor([]).clean("ab12") == "ab12"


def test_variables_of_a_container_keep_their_names() -> None:
    inspected = {"Id": "1", "Config": {"Env": ["PSS_NODEKEYHEX=00ff", "PATH=/bin=x"], "Image": "i"}}
    assert without_environment(inspected) == {
        "Id": "1",
        "Config": {"Env": [f"PSS_NODEKEYHEX={REDACTED}", f"PATH={REDACTED}"], "Image": "i"},
    }
    assert inspected["Config"] == {"Env": ["PSS_NODEKEYHEX=00ff", "PATH=/bin=x"], "Image": "i"}
    assert without_environment({"Config": {"Env": None}}) == {"Config": {"Env": []}}
