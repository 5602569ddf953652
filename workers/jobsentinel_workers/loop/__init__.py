"""The circle: labels come in, a check finds that it pays to train, a training runs, the gate
decides, and the next check notes what came of it.

A loop watches one kind of label and teaches one model. Checks may come twice, at once, or in any
worker: what they may do once, they claim in the store first.
"""
