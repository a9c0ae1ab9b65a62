# says: the attribute array of Chosen is not available
import jax.numpy as jnp

x = jnp.zeros(3)
print(x.at[0].array.tr)  #!
