"""Recurrent policies trained by REINFORCE or PPO."""
