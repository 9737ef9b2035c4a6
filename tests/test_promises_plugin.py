"""The plugin that ties every test to a promise."""

import pytest

pytestmark = pytest.mark.house

PLUGIN = ("-p", "tests.promises", "-p", "no:cacheprovider")


def test_a_test_without_a_promise_stops_the_run(pytester: pytest.Pytester) -> None:
    """A test that keeps no promise is named, and nothing runs."""
    pytester.makepyfile(
        test_it="""
        import pytest
        @pytest.mark.promise(1)
        def test_promised(): pass
        @pytest.mark.house
        def test_house(): pass
        def test_homeless(): pass
        """
    )

    result = pytester.runpytest(*PLUGIN)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*Every test says which promise it keeps*", "*test_it.py::test_homeless"])
    result.stderr.no_fnmatch_line("*test_promised*")
    result.stderr.no_fnmatch_line("*test_house*")


@pytest.mark.parametrize("number", ["0", "11", "'1'", "True"])
def test_a_promise_that_nobody_made_stops_the_run(pytester: pytest.Pytester, number: str) -> None:
    """Only 1 to 10 are promises."""
    pytester.makepyfile(f"import pytest\n@pytest.mark.promise({number})\ndef test_it(): pass\n")

    result = pytester.runpytest(*PLUGIN)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"*::test_it names {number}: the promises are 1 to 10."])


def test_the_run_ends_with_a_count_for_each_promise(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each of the ten is there, with what its tests came to, or with none yet."""
    monkeypatch.delenv("CI", raising=False)
    pytester.makepyfile(
        """
        import pytest
        @pytest.mark.promise(1, 2)
        def test_both(): pass
        @pytest.mark.promise(2)
        def test_broken(): assert False
        @pytest.fixture
        def bad_end():
            yield
            raise ValueError
        @pytest.mark.promise(3)
        def test_broken_afterwards(bad_end): pass
        @pytest.mark.promise(4)
        @pytest.mark.skip(reason="no network")  # of an inner test: the plugin has to count it
        def test_skipped(): pass
        @pytest.mark.house
        def test_house(): pass
        """
    )

    result = pytester.runpytest(*PLUGIN)

    result.stdout.fnmatch_lines(
        [
            "*the ten promises*",
            "  1. never lost              1 passed",
            "  2. never twice             1 passed, 1 failed",
            "  3. never late              1 failed",
            "  4. never wider than asked  1 skipped",
            "  5. proven                  none yet",
            "  6. in time                 none yet",
            "  7. never silent            none yet",
            "  8. no stranger gets in     none yet",
            "  9. no secret gets out      none yet",
            " 10. nothing to set up       none yet",
        ],
        consecutive=True,
    )


@pytest.mark.parametrize("whole_file", [False, True])
@pytest.mark.parametrize(("ci", "status"), [("", pytest.ExitCode.OK), ("true", pytest.ExitCode.TESTS_FAILED)])
def test_a_skip_fails_the_run_in_ci(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    ci: str,
    status: pytest.ExitCode,
    *,
    whole_file: bool,
) -> None:
    """A laptop may skip; CI may not, neither a test nor a file."""
    monkeypatch.setenv("CI", ci)
    pytester.makepyfile(
        test_one="""
        import pytest
        @pytest.mark.promise(1)
        def test_it(): pass
        """,
        test_two=f"""
        import pytest
        if {whole_file}:
            pytest.skip("no network", allow_module_level=True)
        @pytest.mark.promise(1)
        def test_it(): pytest.skip("no network")
        """,
    )

    result = pytester.runpytest(*PLUGIN)

    assert result.ret == status
    if ci:
        result.stdout.fnmatch_lines(["Skipped, which fails the run in CI: test_two.py*"])
