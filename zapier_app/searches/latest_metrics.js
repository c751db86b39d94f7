'use strict';

const { dynamic } = require('../lib/fields');
const { ask } = require('../lib/http');
const { words } = require('../lib/words');

/** Those that are known of most tokens; null where one is not known. */
const METRICS = {
  tm_trader_grade: 84.16,
  tm_investor_grade: 71.2,
  tm_grade: 77.3,
  valuation_grade: 53.39,
  sharpe: 1.06,
  sortino: 1.43,
  volatility: 0.58,
  max_drawdown: -0.77,
  daily_value_at_risk: -0.05,
};

module.exports = {
  key: 'latest_metrics',
  noun: 'Metrics',
  display: { label: 'Find Latest Metrics', description: 'Finds the newest grades and risk metrics of a token.' },
  operation: {
    inputFields: [
      { key: 'token', label: 'Token', type: 'string', required: true, helpText: 'Id, symbol or name.', ...dynamic('tokens') },
    ],
    perform: (z, bundle) => ask(z, '/v1/metrics', { params: { token: bundle.inputData.token } }),
    sample: {
      id: 3375,
      subject: 'token:3375',
      subject_name: 'Bitcoin',
      subject_symbol: 'BTC',
      as_of: '2024-05-14T00:00:00Z',
      ...METRICS,
      momentum: 'Gaining Momentum',
      discord_text: '**Bitcoin (BTC)**\nTrader grade: **84.16 of 100**\nSharpe ratio: **1.06**\n_Facts, not advice._',
    },
    outputFields: [
      { key: 'id', label: 'Token ID', type: 'integer' },
      { key: 'subject', label: 'Subject', type: 'string' },
      { key: 'subject_name', label: 'Name', type: 'string' },
      { key: 'subject_symbol', label: 'Symbol', type: 'string' },
      { key: 'as_of', label: 'As Of', type: 'datetime' },
      ...Object.keys(METRICS).map((key) => ({ key, label: words(key), type: 'number' })),
      { key: 'momentum', label: 'Momentum', type: 'string' },
      { key: 'discord_text', label: 'Discord Text', type: 'string' },
    ],
  },
};
