"""What only PyTorch says: the cells for the places of `kaggle/notebook.py`. A name holds until the next one."""

# %% framework [markdown]
# The framework is **PyTorch**: a network is an object that maps a batch of pictures to scores, and the loop that trains
# it is written out.

# %% device [markdown]
# A GPU that PyTorch carries no code for says it is available and then fails at its first multiplication. So look at
# its *compute capability* first, and train on the CPU if it does not fit: slower, but right.

# %%
from shared.frameworks.device_torch import describe_device, gpu_trouble, pick_device

framework, weights_file = "torch", "model.pth"

# %% network
from shared.networks.architectures import count_parameters, trace

print(f"{'layer':<20}{'output':>16}{'parameters':>14}")
for row in trace(network):
    print(f"{row.kind:<20}{' x '.join(map(str, row.shape)):>16}{row.parameters:>14,}")
print(f"{'':<36}{count_parameters(network):>14,}")

# %% training [markdown]
# In PyTorch a step ends with four lines: the gradients are set to zero, `loss.backward()` works out new ones,
# `optimizer.step()` moves the weights, and `schedule.step()` changes how far the next step goes. `train` takes the
# steps, and measures the network on the validation images after each epoch.

# %%
from shared.training.train_torch import predict, save_weights, train

# %% weights
from shared.networks import weights

arrays = weights.of_torch(trained.model.state_dict())

# %% layers [markdown]
# In PyTorch a *hook* gets at a layer's values; here it shows that the values worked out by hand are the network's own.

# %%
kept = []
hook = trained.model.conv1.register_forward_hook(lambda layer, given, gave: kept.append(gave.cpu().numpy()))
logits_of(image[None])
hook.remove()
maps = kept[0][0]  # of the one image
print(f"by hand and by PyTorch, conv1 differs by at most {np.abs(maps - told.values['conv1']).max():.1e}")

# %% gradient
import torch
from torch.nn import functional as F

from shared.data.preprocessing import to_float

last = list(trained.model.children())[-1]
batch = torch.from_numpy(to_float(image[None], data.input)).to(last.weight.device)
loss = F.cross_entropy(trained.model(batch), torch.tensor([label], device=last.weight.device))
(gradient,) = torch.autograd.grad(loss, last.weight)
loss, gradient = loss.item(), gradient.cpu().numpy()

# %% adam
parameter = torch.nn.Parameter(torch.tensor(weight))
adam = torch.optim.Adam([parameter], lr=rate, betas=(beta1_, beta2_))


def adam_step(gradient):
    """PyTorch's own step; the weight after it."""
    parameter.grad = torch.tensor(gradient)
    adam.step()
    return parameter.item()
