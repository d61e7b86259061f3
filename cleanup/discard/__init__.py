"""One pair → how it ended: copy, check, discard; with the workspace, the guards, the verdict, and the workers."""
