"""The demo: the whole system for real on one machine, and the story that it tells.

Its parts are what the end-to-end tests run on, too. Nothing of the product imports it.
"""
