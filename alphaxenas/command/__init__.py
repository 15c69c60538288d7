"""The command `alphaxenas`: one module per verb."""
