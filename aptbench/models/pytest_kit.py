"""`ModelConformance`: the exact properties of a model as tests, for any repository."""

from __future__ import annotations

from typing import Any, ClassVar

import pytest

from aptbench.frames import Frames
from aptbench.models.conformance import check_model
from aptbench.models.properties import PROPERTIES
from aptbench.models.protocol import APTModel
from aptbench.testing import sample_frames


class ModelConformance:
    """Tests of every demanded property; inherit, and give a model.

    Each test measures one property on one system and fails with the size of the violation. A
    property that does not apply, such as that of a cell without one, is skipped.

    Attributes
    ----------
    tolerance : float
        Largest violation in e that passes; the default suits float32 inside.
    systems : tuple of str
        Which systems of `aptbench.testing.sample_frames` to use. For a model that does not know
        water override the fixture ``frames`` instead.

    Examples
    --------
    In a file ``test_conformance.py``, with nothing else to configure::

        import pytest
        from aptbench.testing import ModelConformance

        class TestMyModel(ModelConformance):
            @pytest.fixture(scope="class")
            def model(self):
                return MyModel()
    """

    tolerance: ClassVar[float] = 2e-5
    systems: ClassVar[tuple[str, ...]] = ("liquid", "molecule")

    @pytest.fixture(scope="class")
    def model(self) -> APTModel:
        """Return the model, ready to predict; to be overridden."""
        pytest.fail("a subclass of ModelConformance needs a fixture 'model'", pytrace=False)

    @pytest.fixture(scope="class")
    def frames(self, system: str) -> Frames:
        """Return the frames of a system, at least two."""
        return sample_frames(system)

    def pytest_generate_tests(self, metafunc: Any) -> None:
        """Run every test for each of the systems, if the class uses them."""
        if "system" in metafunc.fixturenames:
            metafunc.parametrize("system", self.systems, scope="class")

    @pytest.mark.parametrize("name", [n for n, p in PROPERTIES.items() if p.demanded])
    def test_property(self, name: str, model: APTModel, frames: Frames) -> None:
        """Measure one property; fail with the report, skip if it does not apply."""
        report = check_model(model, frames, tolerance=self.tolerance, only=[name])
        if not report.results:
            pytest.skip("does not apply to this model and these frames")
        report.raise_if_failed()
