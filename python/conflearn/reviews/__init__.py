"""Reviews: a person looks at some rows, and what they find says what to think of the rest.

=============  ==================================================================
`plan`         which rows to look at: `audit`, `AuditPlan`
`plan_file`    plans that outlive the process
`strata`       stretches of the ranking, and how many rows are drawn from each
`review_list`  the list that a person fills in
`entries`      what stands in it, or in a mapping or table
`verdicts`     what the person said
`result`       what follows: `AuditResult`, `Cut`
`intervals`    confidence intervals of shares and of sums over strata
`guarantee`    the largest set whose share of false alarms is certified
=============  ==================================================================

Everything works on the ranking, of which there is one number a row; the matrix is looked at once,
by `conflearn.analyze`.
"""

from conflearn.reviews.plan import AuditPlan, audit
from conflearn.reviews.result import AuditResult, Cut

__all__ = ["AuditPlan", "AuditResult", "Cut", "audit"]
