'use strict';

// Tokens and indices, by name, symbol or id.

const { ask } = require('../lib/http');

const search = (kind, path, sample, example) => {
  const noun = kind.charAt(0).toUpperCase() + kind.slice(1);
  return {
    key: `find_${kind}`,
    noun,
    display: { label: `Find ${noun}`, description: `Finds ${kind === 'index' ? 'an' : 'a'} ${kind} by name, symbol or id.` },
    operation: {
      inputFields: [
        { key: 'q', label: 'Name, Symbol or ID', type: 'string', required: true, helpText: `Or a part of it, such as ${example}.` },
      ],
      perform: (z, bundle) => ask(z, path, { params: { q: bundle.inputData.q } }),
      sample,
      outputFields: [
        { key: 'id', label: `${noun} ID`, type: 'integer' },
        { key: 'subject', label: 'Subject', type: 'string' },
        { key: 'name', label: 'Name', type: 'string' },
        { key: 'symbol', label: 'Symbol', type: 'string' },
        { key: 'label', label: 'Name and Symbol', type: 'string' },
        { key: 'market_rank', label: 'Market Cap Rank', type: 'integer' },
        { key: 'categories', label: 'Categories', type: 'string' },
        { key: 'exchanges', label: 'Exchanges', type: 'string' },
      ],
    },
  };
};

const bitcoin = {
  id: 3375,
  subject: 'token:3375',
  name: 'Bitcoin',
  symbol: 'BTC',
  label: 'Bitcoin (BTC)',
  market_rank: 1,
  categories: 'layer-1',
  exchanges: 'binance, kraken',
};
const momentum = {
  id: 5,
  subject: 'index:5',
  name: 'Momentum',
  symbol: 'MOM',
  label: 'Momentum (MOM)',
  market_rank: null,
  categories: '',
  exchanges: '',
};

module.exports = [
  search('token', '/v1/tokens', bitcoin, 'bitcoin, BTC or 3375'),
  search('index', '/v1/indices', momentum, 'momentum or 5'),
];
