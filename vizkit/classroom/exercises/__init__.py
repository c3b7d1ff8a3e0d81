"""Exercises that check themselves: what the notebooks in notebooks/exercises call.

>>> vizkit.exercises.check_prediction({"score": 5, "probability": 5})
✔ your prediction: 5 of 10 fall with the score, 5 with the probability

A check says what is right, and stops at the first thing that is not, with a hint.
"""

from .cases import Case, case, check_student, new_shapes
from .detective import check_accuracy_by_class, check_class_models, check_paint, check_verdict, plain, suspects
from .feedback import NotYet
from .one_step import check_class_score, check_gradient_by_hand, check_pixel_gradient, check_uphill
from .own_regularizer import check_in_explorer, check_l1, check_l2, check_total_variation
from .score_or_probability import check_fallen, check_make_both, check_prediction, check_score_changes

__all__ = ["Case", "NotYet", "case", "check_student", "new_shapes"]
__all__ += ["check_class_score", "check_gradient_by_hand", "check_pixel_gradient", "check_uphill"]
__all__ += ["check_in_explorer", "check_l1", "check_l2", "check_total_variation"]
__all__ += ["check_fallen", "check_make_both", "check_prediction", "check_score_changes"]
__all__ += ["check_accuracy_by_class", "check_class_models", "check_paint", "check_verdict", "plain", "suspects"]
