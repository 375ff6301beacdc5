"""From a graph to something that runs: compile holds the stages, Session is what users hold."""
