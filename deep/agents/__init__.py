"""Model-free learners, MASAC and MADDPG: policies, critics, losses, training rounds."""
