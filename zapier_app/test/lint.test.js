'use strict';

// What Zapier's review checks and its schema does not (the D checks; T004 and T006 are in the live tests), and the schema.

const assert = require('node:assert/strict');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { describe, test } = require('node:test');
const { compileApp, validateApp } = require('zapier-platform-core/src/tools/schema');
const App = require('../index');
const authentication = require('../authentication');
const { triggers } = require('../catalogue.json');
const { fieldsNow } = require('../lib/fields');
const manifest = require('../package.json');

const actions = [App.triggers, App.searches, App.creates].flatMap(Object.values);
const visible = actions.filter(({ display }) => !display.hidden);
const named = (key) => triggers.find((trigger) => trigger.key === key);

/** The input fields of an action, whatever is chosen: those of no choice, and of each choice there is. */
const fieldsOf = ({ operation }) => {
  const with_ = (inputData) =>
    (operation.inputFields || []).flatMap((field) => (typeof field === 'function' ? field(null, { inputData }) : [field]));
  const plain = with_({});
  const choices = plain.filter(({ altersDynamicFields, choices: any }) => altersDynamicFields && any);
  const inputs = choices.flatMap(({ key, choices: any }) => any.map(({ value }) => ({ [key]: value })));
  return [plain, ...inputs.map(with_)];
};
const allFields = actions.flatMap((action) => fieldsOf(action).flat().map((field) => ({ ...field, action: action.key })));

/** The values of a sample at an output field: `a__b` is inside an object, `rows[]a` a column. */
const valuesAt = (sample, key) => {
  const [head, column] = key.split('[]');
  if (column) return (sample[head] || []).map((row) => row[column]);
  const exact = key in sample ? sample[key] : undefined;
  return [exact !== undefined || key in sample ? exact : key.split('__').reduce((value, part) => (value || {})[part], sample)];
};

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;
/** What the core's schema finds wrong with an app. */
const faults = (app) => validateApp(compileApp(app)).map(({ property, message }) => `${property} ${message}`);

const FITS = {
  string: (value) => typeof value === 'string',
  number: (value) => typeof value === 'number',
  integer: Number.isInteger,
  boolean: (value) => typeof value === 'boolean',
  datetime: (value) => ISO.test(value),
};

describe('schema', () => {
  for (const scheme of ['apiKey', 'oauth2']) {
    test(`the core finds nothing wrong, with ${scheme}`, () => {
      assert.deepEqual(faults({ ...App, authentication: authentication[scheme] }), []);
    });
  }

  test('fields that appear by choice are as sound as those that are always there', () => {
    const forms = Object.values({ ...App.creates, ...App.searches, ...App.triggers }).filter(({ key }) => !key.endsWith('_poll'));
    const asTriggers = forms.flatMap((action) =>
      fieldsOf(action).map((inputFields, place) => {
        const { perform, sample } = action.operation;
        const key = `${action.key}_${place}`;
        return [key, { key, noun: action.noun, display: action.display, operation: { inputFields, perform, sample } }];
      }),
    );
    assert.ok(asTriggers.length > 200);
    assert.deepEqual(faults({ ...App, searches: {}, creates: {}, triggers: Object.fromEntries(asTriggers) }), []);
  });

  test('the core is pinned, and no CLI comes with it', () => {
    assert.deepEqual(manifest.dependencies, { 'zapier-platform-core': '19.1.0' });
    assert.equal(manifest.devDependencies, undefined);
    assert.equal(App.platformVersion, '19.1.0');
  });
});

describe('every trigger of the catalogue', () => {
  test('is an instant trigger, and one that polls and gives the same', () => {
    for (const { key } of triggers) {
      const [instant, polled] = [App.triggers[key].operation, App.triggers[`${key}_poll`].operation];
      assert.deepEqual([instant.type, polled.type], ['hook', 'polling']);
      assert.deepEqual(instant.sample, polled.sample);
      assert.deepEqual(instant.outputFields, polled.outputFields);
    }
    const others = visible.filter(({ key, operation: { type } }) => type && !named(key.replace(/_poll$/, '')));
    assert.deepEqual(others.map(({ key }) => key), ['events_bundled', 'events_bundled_poll']);
  });

  test('says a number to start from wherever it asks for one', () => {
    for (const { key } of triggers) {
      for (const field of fieldsNow(named(key), null, { inputData: {} })) {
        if (field.type === 'number' || field.type === 'integer') assert.match(field.helpText, /\d/, `${key}.${field.key}`);
      }
    }
  });
});

describe('connection', () => {
  for (const scheme of ['apiKey', 'oauth2']) {
    test(`D002, D003: ${scheme} says where credentials come from, and whose they are`, () => {
      const { fields = [], connectionLabel, test: check } = authentication[scheme];
      for (const { helpText } of fields) assert.match(helpText, /\[[^\]]+\]\(https:\/\/[^)]+\)/);
      assert.equal(typeof check, 'function');
      assert.equal(connectionLabel(null, { inputData: { email: 'ada@example.com', id: 'acc_1' } }), 'ada@example.com');
    });
  }

  test('D001: credentials are asked for nowhere else', () => {
    for (const { key, type, action } of allFields) {
      assert.ok(type !== 'password' && !/api_?key|secret|password/i.test(key), `${action}.${key}`);
    }
  });
});

describe('input fields', () => {
  test('D004, D005: ids come from dropdowns, and those are there', () => {
    for (const { key, dynamic, search, choices, action } of allFields) {
      const isId = /(^|_)id$/.test(key) || ['tokens', 'token', 'indices', 'index', 'category', 'exchange', 'against_index'].includes(key);
      if (isId && !choices) assert.ok(dynamic, `${action}.${key} needs a dropdown`);
      if (dynamic) {
        const [list, value, label] = dynamic.split('.');
        assert.ok(App.triggers[list], `${action}.${key} names ${list}`);
        assert.ok(value in App.triggers[list].operation.sample && label in App.triggers[list].operation.sample);
        assert.equal(App.triggers[list].display.hidden, true);
      }
      if (search) assert.ok(search.split('.')[1] in App.searches[search.split('.')[0]].operation.sample, search);
    }
  });

  test('D008, D011: help texts say something, and links are links', () => {
    for (const { key, label, helpText, action } of allFields) {
      const where = `${action}.${key}`;
      assert.ok(helpText && helpText.length <= 1000, where);
      assert.notEqual(helpText.toLowerCase().replace(/[.]$/, ''), label.toLowerCase(), where);
      const bare = helpText.replace(/\[[^\]]+\]\(https:\/\/[^)\s]+\)/g, '').replace(/`[^`]+`/g, '');
      assert.doesNotMatch(bare, /https?:\/\/|\]\(|www\./, where);
    }
  });

  test('D009, D022: searches ask for something, actions have fields that are always there', () => {
    for (const { operation } of Object.values(App.searches)) assert.ok(operation.inputFields.length > 0);
    for (const { operation } of Object.values(App.creates)) assert.ok(operation.inputFields.some((field) => typeof field === 'object'));
  });
});

describe('what is given', () => {
  test('D010, D012, T002: every sample is there and has an id', () => {
    for (const { key, operation } of actions) {
      assert.ok(operation.sample, key);
      const hasNone = key in App.creates; // what is made needs none
      if (!hasNone) assert.ok(['string', 'number'].includes(typeof operation.sample.id), key);
    }
  });

  test('D023, D024: samples agree with output fields, and times are ISO 8601 with a zone', () => {
    for (const { key, operation } of actions) {
      for (const field of operation.outputFields) {
        const where = `${key}: ${field.key}`;
        assert.ok(field.label, where);
        if (field.list) continue;
        for (const value of valuesAt(operation.sample, field.key)) {
          assert.notEqual(value, undefined, where);
          if (value !== null && field.type) assert.ok(FITS[field.type](value), `${where} is ${JSON.stringify(value)}, no ${field.type}`);
        }
      }
      assert.equal(new Set(operation.outputFields.map((field) => field.key)).size, operation.outputFields.length, key);
    }
  });

  test('every field of a sample is described', () => {
    for (const { key, operation } of visible) {
      const described = new Set(operation.outputFields.map((field) => field.key.split(/\[\]|__/)[0]));
      for (const [name, value] of Object.entries(operation.sample)) {
        const empty = value && typeof value === 'object' && !Object.keys(value).length;
        assert.ok(empty || described.has(name) || operation.outputFields.some((field) => field.key === name), `${key}: ${name}`);
      }
    }
  });
});

describe('words', () => {
  const SMALL = new Set(['of', 'or', 'and', 'a', 'in', 'to', 'for', 'by']);

  test('D018, D021: labels are in title case; a trigger says when it triggers', () => {
    for (const { key, noun, display } of visible) {
      for (const word of display.label.split(' ')) assert.ok(SMALL.has(word) || /^[(A-Z]/.test(word), `${key}: ${display.label}`);
      assert.ok(display.label.length <= 64 && noun.length >= 2, key);
      assert.match(key, /^[a-z][a-z0-9_]+$/);
      const begins = key in App.searches ? /^Finds / : key in App.creates ? /^(Creates|Removes|Runs) / : /^Triggers when /;
      assert.match(display.description, begins, key);
      assert.match(display.description, /\.$/, key);
      assert.doesNotMatch(display.description, /gradewire|zapier/i, key);
    }
  });

  test('D006, D017: what is instant subscribes, unsubscribes and lists', () => {
    for (const { key, operation } of visible.filter(({ operation: { type } }) => type === 'hook')) {
      for (const name of ['performSubscribe', 'performUnsubscribe', 'performList']) assert.equal(typeof operation[name], 'function', key);
    }
  });

  test('D007, D025: no address is without TLS, none runs a script', () => {
    const text = JSON.stringify(compileApp(App));
    assert.doesNotMatch(text, /http:\/\/|javascript:|data:text/i);
  });

  test('M: the description of the app fits', () => {
    assert.ok(manifest.description.length >= 40 && manifest.description.length <= 140);
    assert.match(manifest.description, /^Gradewire is a /);
    assert.doesNotMatch(manifest.description, /zapier/i);
  });

  test('the guide speaks of what there is', () => {
    const guide = readFileSync(join(__dirname, '..', '..', 'docs', 'zapier.md'), 'utf8').replace(/\s+/g, ' ');
    for (const { display } of [...Object.values(App.searches), ...Object.values(App.creates)]) {
      assert.ok(guide.includes(display.label), display.label);
    }
    const labels = new Set(visible.map(({ display }) => display.label));
    const told = guide.match(/(?<=\| |\*\*|\*)New [A-Z][A-Za-z ]+?(?= \||\*)/g);
    assert.ok(told.length >= 6);
    for (const label of told) assert.ok(labels.has(label), label);
    const presets = triggers.flatMap((trigger) => trigger.presets.map(({ label }) => label));
    for (const [, preset] of guide.matchAll(/\*Start From\*: (?:\*\*)?([A-Z][^.*]+)/g)) {
      assert.ok(presets.some((label) => label.startsWith(preset)), preset);
    }
  });

  test('it never trades: no action moves money or tokens', () => {
    for (const { key } of Object.values(App.creates)) assert.doesNotMatch(key, /trade|order|buy|sell|swap|transfer|withdraw/);
  });
});
