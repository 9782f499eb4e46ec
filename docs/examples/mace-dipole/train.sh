# MACE's own trainer, on dipoles alone; a run that was stopped goes on from its last checkpoint.
mace_run_train \
  --name=mace-dipole --model=AtomicDipolesMACE --loss=dipole --error_table=DipoleRMSE \
  --train_file=train.xyz --valid_file=validation.xyz --dipole_key=REF_dipole \
  --E0s='{1: 0.0, 6: 0.0, 7: 0.0, 8: 0.0, 9: 0.0, 16: 0.0, 17: 0.0}' \
  --r_max=5.0 --num_interactions=2 --correlation=2 --max_L=1 --hidden_irreps='32x0e + 32x1o' \
  --MLP_irreps='32x1o' \
  --batch_size=8 --valid_batch_size=16 --max_num_epochs="${EPOCHS:-300}" --patience=20 --lr=0.01 \
  --eval_interval=5 --default_dtype=float64 --device=cpu --seed=1 --restart_latest
