// Noise on a row; the same seed gives the same draws, so that a slider makes the same noise stronger.

function generator(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

// Low, high, centre and deviation of each number of a row.
function factsOf(atlas) {
  if (!atlas.image) return atlas.facts.columns.map(({ low, high, mean, spread }) => ({ low, high, centre: mean, spread }));
  const { low, high } = atlas.image;
  return Array(atlas.width).fill({ low, high, centre: low, spread: high - low });
}

const KINDS = {
  gaussian: (value, fact, amount, random) => value + amount * fact.spread * Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()),
  masking: (value, fact, amount, random) => (random() < amount ? fact.centre : value),
  salt: (value, fact, amount, random) => {
    const draw = random();
    return draw >= amount ? value : draw < amount / 2 ? fact.low : fact.high;
  },
};

// A row with noise, as the type of the rows can hold it.
export function noisy(atlas, row, kind, amount, seed = 1) {
  const random = generator(seed), facts = factsOf(atlas);
  const changed = amount ? row.map((value, i) => KINDS[kind](value, facts[i], amount, random)) : row;
  return atlas.facts.rows.type === "uint8" ? changed.map((value) => Math.max(0, Math.min(255, Math.round(value)))) : changed;
}
