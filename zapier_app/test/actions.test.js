'use strict';

// Connection, dropdowns, searches and actions, against a running Gradewire with a sandbox market.

const assert = require('node:assert/strict');
const { describe, test } = require('node:test');
const { api, appAt, servers, skip } = require('./helpers');

const { App, run } = appAt('demo');
const search = (key, inputData) => run(App.searches[key].operation.perform, { inputData });
const create = (key, inputData) => run(App.creates[key].operation.perform, { inputData });
const list = (key, bundle) => run(App.triggers[key].operation.perform, bundle);

/** Something that comes once the market has been read. */
const eventually = async (look, seconds = 60) => {
  for (const until = Date.now() + seconds * 1000; ; ) {
    const found = await look();
    if (found) return found;
    assert.ok(Date.now() < until, 'it did not come in time');
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
};

/** An answer has the keys that the sample promises, and the fields are those that are described. */
const keepsItsPromise = ({ operation }, answer) => {
  for (const key of Object.keys(operation.sample)) assert.ok(key in answer, `${key} is missing in ${JSON.stringify(answer)}`);
};

describe('a connection', { skip }, () => {
  test('a good key says whose it is, and that its market is made up', async () => {
    const me = await run(App.authentication.test, { meta: { isTestingAuth: true } });
    assert.equal(me.sandbox, true);
    const label = await run(App.authentication.connectionLabel, { inputData: me });
    assert.equal(label, 'demo@localhost (sandbox)');
    assert.ok(!label.includes(servers.demo.key.slice(0, 12)));
  });

  test('a wrong key is said to be wrong, in words for people', async () => {
    const bundle = { authData: { apiKey: 'gw_live_wrong' }, meta: { isTestingAuth: true } };
    await assert.rejects(run(App.authentication.test, bundle), (error) => {
      const { code, status, message } = JSON.parse(error.message);
      assert.deepEqual([code, status], ['AuthenticationError', 401]);
      return message.length < 250 && message.includes('API key');
    });
  });

  test('a Gradewire that cannot be reached is named', async () => {
    const { url } = servers.demo;
    process.env.BASE_URL = 'http://127.0.0.1:1';
    try {
      await assert.rejects(run(App.authentication.test), /cannot be reached \(ECONNREFUSED\)/);
      process.env.BASE_URL = '';
      await assert.rejects(run(App.authentication.test), /BASE_URL is not set/);
      for (const plain of ['http://gradewire.example.com', 'http://127.0.0.1.example.com', 'gradewire.example.com']) {
        process.env.BASE_URL = plain;
        await assert.rejects(run(App.authentication.test), /BASE_URL must begin with https/);
      }
    } finally {
      process.env.BASE_URL = url;
    }
  });
});

describe('dropdowns', { skip }, () => {
  test('tokens come a page at a time, and can be searched', async () => {
    const first = await list('list_tokens', { meta: { page: 0 } });
    assert.ok(first.some(({ name }) => name === 'Bitcoin (BTC)'));
    assert.deepEqual(await list('list_tokens', { meta: { page: 99 } }), []);
    const found = await list('list_tokens', { inputData: { q: 'hyperliq' } });
    assert.deepEqual(found.map(({ name }) => name), ['Hyperliquid (HYPE)']);
  });

  for (const key of Object.keys(App.triggers).filter((name) => name.startsWith('list_'))) {
    test(`${key} has an id and a name for each choice`, async () => {
      const { hidden } = App.triggers[key].display;
      const choices = await eventually(async () => {
        const found = await list(key, { meta: { page: 0 } });
        return key === 'list_events' && !found.length ? null : found;
      });
      assert.equal(hidden, true);
      assert.ok(choices.length > 0);
      for (const choice of choices) assert.deepEqual(Object.keys(choice), ['id', 'name']);
    });
  }
});

describe('searches', { skip }, () => {
  for (const q of ['Hyperliquid', 'HYPE']) {
    test(`a token is found by ${q}, and by its id`, async () => {
      const [found] = await search('find_token', { q });
      assert.equal(found.name, 'Hyperliquid');
      keepsItsPromise(App.searches.find_token, found);
      const [same] = await search('find_token', { q: String(found.id) });
      assert.deepEqual(same, found);
    });
  }

  test('an index is found', async () => {
    const [{ name, id }] = await eventually(async () => {
      const choices = await list('list_indices', {});
      return choices.length ? choices : null;
    });
    const found = await search('find_index', { q: name.split(' (')[0] });
    assert.ok(found.some((one) => one.id === id));
    keepsItsPromise(App.searches.find_index, found[0]);
  });

  test('what is not there is an empty list, and no error', async () => {
    assert.deepEqual(await search('find_token', { q: 'no such token' }), []);
    assert.deepEqual(await search('find_index', { q: 'no such index' }), []);
  });

  test('the newest metrics of a token, once it is watched', async () => {
    await list('new_reading_poll', { inputData: { watch: 'tokens', tokens: ['HYPE'] } });
    const found = await eventually(async () => (await search('latest_metrics', { token: 'HYPE' })).find(({ sharpe }) => sharpe !== null));
    assert.equal(found.subject_name, 'Hyperliquid');
    keepsItsPromise(App.searches.latest_metrics, found);
    assert.match(found.discord_text, /Sharpe ratio/);
    assert.equal(found.metric_value, null);
    const [{ id }] = (await list('list_metrics', { inputData: { q: 'sharpe' } })).filter((choice) => choice.id === 'quantmetrics.sharpe');
    const [one] = await search('latest_metrics', { token: String(found.id), metric: id });
    assert.equal(one.metric_value, one.sharpe);
  });

  test('the newest events of a condition, about a token or any', async () => {
    await list('new_reading_poll', { inputData: { watch: 'tokens', tokens: ['3306'] } });
    const events = await eventually(async () => {
      const found = await search('latest_events', { trigger: 'new_reading', token: '3306', limit: 3 });
      return found.length ? found : null;
    });
    assert.ok(events.every(({ trigger, subject }) => trigger === 'new_reading' && subject === 'token:3306'));
    keepsItsPromise(App.searches.latest_events, events[0]);
  });
});

describe('actions', { skip }, () => {
  test('a token, an index and an event are described in a text that Discord takes', async () => {
    const token = await create('describe', { kind: 'token', token: 'BTC' });
    keepsItsPromise(App.creates.describe, token);
    assert.match(token.text, /^\*\*Bitcoin/);
    const [{ id }] = await list('list_indices', {});
    assert.equal((await create('describe', { kind: 'index', index: String(id) })).subject, `index:${id}`);
    const event = await eventually(async () => (await list('list_events', {}))[0]);
    const described = await create('describe', { kind: 'event', event_id: event.id });
    assert.equal(described.event_id, event.id);
    for (const { text } of [token, described]) assert.ok(text.length > 0 && text.length <= 2000);
  });

  test('what is described must be there', async () => {
    await assert.rejects(create('describe', { kind: 'event', event_id: 'evt_nothing' }), /no event/);
  });

  test('Token Metrics AI answers a question', async () => {
    const answer = await create('ask_ai', { question: 'What is the outlook of Bitcoin?' });
    keepsItsPromise(App.creates.ask_ai, answer);
    assert.equal(answer.sandbox, true);
    assert.ok(answer.answer.length > 0);
  });

  test('a watch is made, is there, and is removed, twice if need be', async () => {
    const [mail] = (await api('demo', '/v1/destinations')).data.filter(({ channel }) => channel === 'email');
    const asked = { destination_id: mail.id, trigger: 'sharpe_threshold', watch: 'tokens', tokens: ['3375', '3306'], level: '1.5' };
    const made = await create('create_watch', asked);
    keepsItsPromise(App.creates.create_watch, made);
    const there = (await api('demo', `/v1/subscriptions/${made.id}`)).data;
    assert.deepEqual([there.status, there.options.level, there.scope.ids], ['active', 1.5, [3306, 3375]]);
    assert.ok((await list('list_watches', {})).some(({ id }) => id === made.id));
    for (let times = 0; times < 2; times += 1) {
      assert.deepEqual(await create('remove_watch', { watch_id: made.id }), { id: made.id, removed: true });
    }
    assert.ok(!(await list('list_watches', {})).some(({ id }) => id === made.id));
  });

  test('a watch without a destination keeps its events in a feed', async () => {
    const made = await create('create_watch', { trigger: 'new_reading', watch: 'tokens', tokens: ['3306'], source: 'prices' });
    keepsItsPromise(App.creates.create_watch, made);
    assert.ok(made.feed.startsWith(`${servers.demo.url}/v1/triggers/new_reading?`));
    assert.ok((await list('list_watches', {})).some(({ id }) => id === made.id));
    await create('remove_watch', { watch_id: made.id });
    assert.equal((await api('demo', `/v1/watches/${made.id}`)).status, 404);
  });

  test('a wish that cannot be is refused with the field and the remedy', async () => {
    const [mail] = (await api('demo', '/v1/destinations')).data;
    const asked = { destination_id: mail.id, trigger: 'sharpe_threshold', watch: 'tokens', tokens: ['BTC'], level: 'high' };
    await assert.rejects(create('create_watch', asked), (error) => {
      const { code, status, message } = JSON.parse(error.message);
      assert.deepEqual([code, status], ['InvalidData', 422]);
      return message.startsWith('level:');
    });
    await assert.rejects(create('create_watch', { ...asked, level: '1', tokens: [] }), /Nobody is watched/);
  });

  test('a backtest counts what would have been told', async () => {
    await list('new_reading_poll', { inputData: { watch: 'tokens', tokens: ['3306'] } });
    const tried = await eventually(async () => {
      const found = await create('run_backtest', { trigger: 'new_reading', watch: 'tokens', tokens: ['3306'] });
      return found.count ? found : null;
    });
    keepsItsPromise(App.creates.run_backtest, tried);
    assert.equal(tried.watched, 1);
    assert.ok(tried.text.includes(tried.events[0].summary));
    assert.ok(tried.events.length <= 10);
  });
});
