#!/bin/bash
{mark}: {count} of {recipe}, one a task.
#
#   sbatch {file}
#
# The same again goes on: what is finished is left alone.
#
# Numbers and settings of the tasks:
{runs}
#
# Edit what your cluster wants; a line with two # is off.
#SBATCH --job-name={job}
#SBATCH --array=0-{last}
#SBATCH --nodes=1
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=4
#SBATCH --mem=16G
#SBATCH --time=24:00:00
#SBATCH --output=%x-%A_%a.log
##SBATCH --gres=gpu:1
##SBATCH --partition=NAME
##SBATCH --account=NAME

set -euo pipefail

# module load python
FACEKIT=({python} -m facekit)
# Models and caches; all tasks share it.
# export FACEKIT_HOME=/scratch/$USER/facekit
export OMP_NUM_THREADS="${{SLURM_CPUS_PER_TASK:-4}}"

cd {here}
TASK="${{SLURM_ARRAY_TASK_ID:?submit this file with sbatch, or set SLURM_ARRAY_TASK_ID}}"
"${{FACEKIT[@]}}" {command} --only "$TASK" --resume
