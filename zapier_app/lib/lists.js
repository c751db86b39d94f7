'use strict';

// Hidden triggers that fill dropdowns, a page at a time.

const { ask } = require('./http');

const NAMES = {
  tokens: ['Token', { id: 3375, name: 'Bitcoin (BTC)' }],
  indices: ['Index', { id: 1, name: 'Token Metrics 100 (TM100)' }],
  metrics: ['Metric', { id: 'quantmetrics.sharpe', name: 'Sharpe ratio (Quant metrics)' }],
  grades: ['Grade', { id: 'trader', name: 'Trader grade' }],
  categories: ['Category', { id: 'layer-1', name: 'layer-1' }],
  exchanges: ['Exchange', { id: 'binance', name: 'binance' }],
};

const page = (name) => (z, bundle) => {
  const { page: number = 0 } = bundle.meta || {};
  return ask(z, `/v1/lists/${name}`, { params: { page: number, q: (bundle.inputData || {}).q } });
};

const list = (name) => {
  const [noun, sample] = NAMES[name];
  return {
    key: `list_${name}`,
    noun,
    display: { label: `List ${noun} Choices`, description: `Triggers when a list of ${name} is asked for.`, hidden: true },
    operation: {
      type: 'polling',
      canPaginate: true,
      inputFields: [{ key: 'q', label: 'Search', type: 'string', helpText: 'Part of a name or symbol, such as `bit`.' }],
      perform: page(name),
      sample,
      outputFields: [
        { key: 'id', label: `${noun} ID`, type: typeof sample.id === 'number' ? 'integer' : 'string' },
        { key: 'name', label: 'Name', type: 'string' },
      ],
    },
  };
};

/** What an account has set up: where it may be told, and what it watches. */
const own = (name, noun, choices, sample) => ({
  key: `list_${name}`,
  noun,
  display: { label: `List ${noun} Choices`, description: `Triggers when a list of ${name} is asked for.`, hidden: true },
  operation: {
    type: 'polling',
    perform: choices,
    sample,
    outputFields: [
      { key: 'id', label: `${noun} ID`, type: 'string' },
      { key: 'name', label: 'Name', type: 'string' },
    ],
  },
});

const destinations = own(
  'destinations',
  'Destination',
  async (z) => (await ask(z, '/v1/destinations')).map(({ id, label, channel, hint }) => ({ id, name: `${label || channel}: ${hint}` })),
  { id: 'dst_example', name: 'Me: you@example.com' },
);

/** Those that tell a destination, and those that only keep events. */
const watching = async (z) => {
  const [telling, keeping] = await Promise.all([ask(z, '/v1/subscriptions'), ask(z, '/v1/watches')]);
  return [
    ...telling.map(({ id, trigger, destination }) => ({ id, name: `${trigger} → ${destination}` })),
    ...keeping.map(({ id, label }) => ({ id, name: `${label}, kept` })),
  ];
};
const watches = own('watches', 'Watch', watching, { id: 'sub_example', name: 'grade_changed → Me' });

const events = own(
  'events',
  'Event',
  async (z) => (await ask(z, '/v1/events/latest')).map(({ id, summary }) => ({ id, name: summary })),
  { id: 'evt_samplesamplesamplesamplesa', name: "Bitcoin's Sharpe ratio rose above 1 on 14 May 2021." },
);

module.exports = [...Object.keys(NAMES).map(list), destinations, watches, events];
