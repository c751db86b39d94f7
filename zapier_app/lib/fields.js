'use strict';

// From the catalogue to input fields: who is watched, presets, options; and from what was entered to Gradewire's filters.

const { dropdown, labelled, number, words } = require('./words');

/** The hidden triggers that fill dropdowns, by the list that an option or a scope names: see lib/lists.js. */
const LISTS = {
  tokens: 'list_tokens',
  indices: 'list_indices',
  metrics: 'list_metrics',
  grades: 'list_grades',
  categories: 'list_categories',
  exchanges: 'list_exchanges',
};
/** The searches that a field of ids can be filled from, in the step before. */
const SEARCHES = { tokens: 'find_token.id', indices: 'find_index.id' };
/** The ways to say who is watched, beside any. */
const WAYS = {
  tokens: 'Tokens I choose',
  category: 'A category of tokens',
  exchange: 'Tokens of an exchange',
  top: 'The largest tokens by market cap',
  indices: 'Indices I choose',
};
const ANY = { token: 'Any token', index: 'Any index' };
/** What everybody can leave as it is comes last. */
const LAST = ['hysteresis', 'min_observations', 'cooldown_hours'];
const TYPES = { string: 'string', number: 'number', integer: 'integer', boolean: 'boolean', array: 'text', object: 'text' };

const dynamic = (list) => ({
  dynamic: `${LISTS[list]}.id.name`,
  ...(SEARCHES[list] ? { search: SEARCHES[list] } : {}),
});

// -- who is watched ----------------------------------------------------------------------------------------------------

/** The field that asks in which way subjects are chosen; none where the trigger is about the market. */
const watchFields = (trigger) => {
  if (!trigger.scope.length) return [];
  const ways = Object.fromEntries(trigger.scope.map(({ key }) => [key, WAYS[key]]));
  const choices = { ...ways, any: ANY[trigger.subject] };
  return [
    {
      key: 'watch',
      label: 'Who Is Watched',
      choices: dropdown(Object.keys(choices), (key) => choices[key]),
      default: trigger.scope[0].key,
      required: true,
      altersDynamicFields: true,
      helpText: 'Naming a few, such as 3, takes the fewest calls of your Token Metrics plan.',
    },
  ];
};

/** The field that goes with the way that is chosen. */
const scopeFields = (trigger, given) => {
  const about = trigger.scope.find(({ key }) => key === watched(trigger, given));
  if (!about) return [];
  const field = { key: about.key, label: about.label, required: true };
  if (about.key === 'top') {
    return [{ ...field, type: 'integer', helpText: 'How many of the largest tokens: 10 is a good start, 1000 the most.' }];
  }
  const several = about.key === 'tokens' || about.key === 'indices';
  const help = several ? 'Choose one or more, up to 200.' : 'Choose one of the list, which Gradewire learns from Token Metrics.';
  return [{ ...field, type: 'string', list: several, helpText: help, ...dynamic(about.list) }];
};

const watched = (trigger, given) => given.watch || (trigger.scope[0] || {}).key;

// -- options -----------------------------------------------------------------------------------------------------------

const presetFields = (trigger) => {
  if (!trigger.presets.length) return [];
  return [
    {
      key: 'start_from',
      label: 'Start From',
      choices: dropdown(trigger.presets.map(({ label }) => label), (label) => label),
      required: false,
      altersDynamicFields: true,
      helpText: 'A ready-made condition. What you enter below changes it.',
    },
  ];
};

/** A Zap holds a preset's name: one that is not there any more must not become the usual options without a word. */
const checkPreset = (trigger, { start_from: name }) => {
  if (name && !trigger.presets.some(({ label }) => label === name)) {
    throw new Error(`There is no ${name} any more: choose another under Start From, or none.`);
  }
};

const preset = (trigger, given) => (trigger.presets.find(({ label }) => label === given.start_from) || { options: {} }).options;

/** What an option is now: entered, else the preset's, else its default. */
const current = (trigger, given, key) => {
  const { default: usual } = trigger.options.find((option) => option.key === key);
  return [given[key], preset(trigger, given)[key], usual].find((value) => value !== undefined && value !== '' && value !== null);
};

/** Whether an option has a meaning beside what is chosen. */
const shown = (trigger, given, option) =>
  Object.entries(option.when || {}).every(([key, values]) =>
    values.map(String).includes(String(current(trigger, given, key)).toLowerCase()),
  );

/** What suits the choices that are made: a unit, a number to start from, choices. */
const suited = (trigger, given, option) =>
  Object.assign({}, ...Object.entries(option.suits || {}).map(([key, by]) => by[current(trigger, given, key)] || {}));

const depends = (option) => Boolean(option.when || option.suits);

/** Whether other options depend on this one. */
const alters = (trigger, { key }) =>
  trigger.options.some((option) => [option.when, option.suits].some((by) => by && key in by));

/** What is left empty is the preset's, else usual: nothing is filled in that would stay behind when a choice changes. */
const optionField = (trigger, given, option) => {
  const { unit = option.unit, start, choices = option.choices } = suited(trigger, given, option);
  const usual = [preset(trigger, given)[option.key], start, option.default].find((value) => value !== undefined && value !== null);
  const field = {
    key: option.key,
    label: labelled(option.label, unit),
    type: TYPES[option.type],
    required: Boolean(option.required),
    helpText: help(option, usual, unit),
    altersDynamicFields: alters(trigger, option) || undefined,
    dependsOn: option.suits && Object.keys(option.suits),
    placeholder: example(usual),
  };
  if (option.list) Object.assign(field, dynamic(option.list), { type: 'string' });
  else if (choices) Object.assign(field, { choices: dropdown(choices), type: 'string', placeholder: example(usual) });
  if (option.several) Object.assign(field, { choices: dropdown(option.several), list: true, placeholder: undefined });
  return without(field);
};

const example = (usual) => {
  if (usual === undefined || usual === '') return undefined;
  return typeof usual === 'object' ? JSON.stringify(usual) : words(usual);
};

/** A sentence or two, with a number to start from where a number is asked for. */
const help = (option, usual, unit) => {
  const said = `${option.help.replace(/\.$/, '')}.`;
  if (option.list && !usual) return `Choose one of the list${usual === '' ? '; empty means any' : ''}.`;
  if (typeof usual !== 'number' || /empty means/i.test(said)) return said;
  return `${said} Empty means ${number(usual)}${unit === '%' ? ' %' : ''}.`;
};

const without = (field) => Object.fromEntries(Object.entries(field).filter(([, value]) => value !== undefined));

const ordered = (trigger) => {
  const place = ({ key }) => LAST.indexOf(key);
  return [...trigger.options.filter((o) => place(o) < 0), ...trigger.options.filter((o) => place(o) >= 0).sort((a, b) => place(a) - place(b))];
};

/** Options whose field is the same whatever is chosen; none where a preset changes what stands in them. */
const fixed = (trigger) => (trigger.presets.length ? [] : ordered(trigger).filter((option) => !depends(option)));

// -- all together ------------------------------------------------------------------------------------------------------

/** The input fields of a trigger: those that are always there, and a function that gives those that appear by choice. */
const inputFields = (trigger) => {
  const always = fixed(trigger);
  const rest = ordered(trigger).filter((option) => !always.includes(option));
  const chosen = (_z, bundle) => {
    const given = bundle.inputData || {};
    const visible = rest.filter((option) => shown(trigger, given, option));
    return [...scopeFields(trigger, given), ...visible.map((option) => optionField(trigger, given, option))];
  };
  const fields = [...watchFields(trigger), ...presetFields(trigger), ...always.map((option) => optionField(trigger, {}, option))];
  return [...fields, ...(rest.length || trigger.scope.length ? [chosen] : [])];
};

/** The same fields, as they are with what is entered. */
const fieldsNow = (trigger, z, bundle) =>
  inputFields(trigger).flatMap((field) => (typeof field === 'function' ? field(z, bundle) : [field]));

/** Options and scope as Gradewire takes them. What is not shown any more does not count. */
const asked = (trigger, given) => {
  checkPreset(trigger, given);
  const options = { ...preset(trigger, given) };
  for (const option of trigger.options) {
    const value = given[option.key];
    if (!shown(trigger, given, option)) delete options[option.key];
    else if (value !== undefined && value !== null && String(value) !== '') options[option.key] = written(value);
  }
  const way = watched(trigger, given);
  return { options, scope: way && way !== 'any' ? { [way]: named(way, given[way]) } : {} };
};

/** Both in one, as a feed's query has them. */
const filters = (trigger, given) => {
  const { options, scope } = asked(trigger, given);
  return { ...options, ...scope };
};

/** Who is watched. Left empty it would be everyone, which is never meant. */
const named = (way, value) => {
  if (value === undefined || value === null || !String(value)) {
    throw new Error(`Nobody is watched: fill in ${words(way)}, or choose another way under Who Is Watched.`);
  }
  return written(value);
};

const written = (value) => (Array.isArray(value) ? value.join(',') : value);

module.exports = { asked, dynamic, fieldsNow, filters, inputFields };
