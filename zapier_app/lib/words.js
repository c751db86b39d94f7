'use strict';

/** What a name is for people: "both_high" is "Both High". */
const words = (name) =>
  String(name)
    .split('_')
    .map((part) => part.charAt(0).toUpperCase() + part.slice(1))
    .join(' ');

/** A label with the unit that it does not say already: "Level (%)". */
const labelled = (label, unit) => (unit && !label.toLowerCase().includes(unit.toLowerCase()) ? `${label} (${unit})` : label);

/** A number as people write it: 1000000 is 1,000,000. */
const number = (value) => value.toLocaleString('en-US', { maximumFractionDigits: 12 });

/** A static dropdown, in the order given. */
const dropdown = (values, label = words) =>
  values.map((value) => ({ value: String(value), sample: String(value), label: label(value) }));

module.exports = { dropdown, labelled, number, words };
