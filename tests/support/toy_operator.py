"""The operator as a process, with a planner that is simple enough to be foreseen."""

from toy_plans import toy_plan

from chimera_operator.__main__ import main

if __name__ == "__main__":
    main(toy_plan)
