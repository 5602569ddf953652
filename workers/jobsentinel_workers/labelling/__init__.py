"""Labels between the store and the people who give them: in a terminal, and in files of tools.

Each label keeps its annotator, the time it took, and which strategy and model had chosen its
posting. Files are read whole before anything is stored: what is wrong in them is named, and the
rest goes in within one transaction.
"""
