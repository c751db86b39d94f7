'use strict';

const { chosen } = require('./authentication');
const { triggers } = require('./catalogue.json');
const { translate } = require('./lib/errors');
const { authorise } = require('./lib/http');
const bundles = require('./lib/bundle');
const lists = require('./lib/lists');
const { instant, polled } = require('./lib/trigger');
const { version } = require('./package.json');

const byKey = (all) => Object.fromEntries(all.map((one) => [one.key, one]));

module.exports = {
  version,
  platformVersion: require('zapier-platform-core').version,
  authentication: chosen,
  beforeRequest: [authorise],
  afterResponse: [translate],
  triggers: byKey([...triggers.flatMap((trigger) => [instant(trigger), polled(trigger)]), ...bundles, ...lists]),
  searches: byKey([...require('./searches/find'), require('./searches/latest_events'), require('./searches/latest_metrics')]),
  creates: byKey([
    require('./creates/ask_ai'),
    require('./creates/create_watch'),
    require('./creates/describe'),
    require('./creates/remove_watch'),
    require('./creates/run_backtest'),
  ]),
};
