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

/** One metric by itself, of all that are known. */
const chosen = ({ metrics, ...found }, metric) => {
  const one = metrics.find(({ source, key }) => `${source}.${key}` === metric);
  return {
    ...found,
    metric_label: one ? one.label : null,
    metric_value: one ? one.value : null,
    metric_as_of: one ? one.as_of : null,
    metrics,
  };
};

const perform = async (z, bundle) => {
  const found = await ask(z, '/v1/metrics', { params: { token: bundle.inputData.token } });
  return found.map((token) => chosen(token, bundle.inputData.metric));
};

module.exports = {
  key: 'latest_metrics',
  noun: 'Metrics',
  display: { label: 'Find Latest Metrics', description: 'Finds the newest grades and risk metrics of a token.' },
  operation: {
    inputFields: [
      { key: 'token', label: 'Token', type: 'string', required: true, helpText: 'Id, symbol or name.', ...dynamic('tokens') },
      {
        key: 'metric',
        label: 'One Metric by Itself',
        type: 'string',
        required: false,
        helpText: 'Comes as Metric Value, beside the main ones.',
        ...dynamic('metrics'),
      },
    ],
    perform,
    sample: {
      id: 3375,
      subject: 'token:3375',
      subject_name: 'Bitcoin',
      subject_symbol: 'BTC',
      as_of: '2024-05-14T00:00:00Z',
      ...METRICS,
      momentum: 'Gaining Momentum',
      discord_text: '**Bitcoin (BTC)**\nTrader grade: **84.16 of 100**\nSharpe ratio: **1.06**\n_Facts, not advice._',
      metric_label: 'Sharpe ratio',
      metric_value: 1.06,
      metric_as_of: '2024-05-14T00:00:00Z',
      metrics: [{ key: 'sharpe', label: 'Sharpe ratio', value: 1.06, unit: null, source: 'quantmetrics', as_of: '2024-05-14T00:00:00Z' }],
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
      { key: 'metric_label', label: 'Metric Label', type: 'string' },
      { key: 'metric_value', label: 'Metric Value', type: 'number' },
      { key: 'metric_as_of', label: 'Metric As Of', type: 'datetime' },
      { key: 'metrics[]label', label: 'Metrics: Label', type: 'string' },
      { key: 'metrics[]value', label: 'Metrics: Value', type: 'number' },
      { key: 'metrics[]unit', label: 'Metrics: Unit', type: 'string' },
      { key: 'metrics[]source', label: 'Metrics: Source', type: 'string' },
      { key: 'metrics[]as_of', label: 'Metrics: As Of', type: 'datetime' },
    ],
  },
};
