"""What should change: experiments on champions and their verdicts. Imports ``hydra_assets``, never execution."""
