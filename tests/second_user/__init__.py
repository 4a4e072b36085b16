"""What another user of the machine, who may write into a shared results folder, cannot do."""
