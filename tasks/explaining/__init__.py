"""Why a picture was given a label: its heat map, as a job of its own that delays no other.

`life` accepts, shows and forgets explanations, `work` has the task, and what is kept for them is
noted beside the job records.
"""
