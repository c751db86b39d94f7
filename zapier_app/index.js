'use strict';

const { chosen } = require('./authentication');
const { triggers } = require('./catalogue.json');
const { translate } = require('./lib/errors');
const { authorise } = require('./lib/http');
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
  triggers: byKey([...triggers.flatMap((trigger) => [instant(trigger), polled(trigger)]), ...lists]),
  searches: byKey([require('./searches/latest_events')]),
  creates: byKey([
    require('./creates/create_watch'),
    require('./creates/remove_watch'),
    require('./creates/run_backtest'),
  ]),
};
