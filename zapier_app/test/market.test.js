'use strict';

// What comes as the sandbox market moves: to several Zaps, to hooks and polls alike, bundled, and for the seed workflow.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { CatchHook, api, appAt, skip, zaps } = require('./helpers');

const { App, run } = appAt('market');
const zapier = new CatchHook();
const { operation, perform, switchOff, switchOn } = zaps(App, run, zapier);

before(() => zapier.open());
after(() => zapier.close());

describe('the market moves', { skip }, () => {
  const key = 'new_reading';
  const inputData = { watch: 'tokens', tokens: ['3375', '3306'], source: 'trader_grades' };
  let one;
  let two;

  test('two Zaps on one trigger both get every event, as the feed and the poll have it, key for key', async () => {
    one = await switchOn(key, '/zaps/one', inputData);
    two = await switchOn(key, '/zaps/two', inputData);
    assert.notEqual(one.subscribeData.id, two.subscribeData.id);
    // The first Zap may have been told of a day before the second was there.
    const second = (await zapier.wait(two.path, 3, 60)).map(({ cleanedRequest: { id } }) => id);
    const first = await Promise.all(second.map((wanted) => zapier.waitFor(one.path, ({ id }) => id === wanted)));
    const runs = (await Promise.all(first.map((arrived) => perform(key, one, arrived)))).flat();
    const polled = await run(App.triggers.new_reading_poll.operation.perform, { inputData });
    const past = new Map(polled.map((event) => [event.id, event]));
    assert.equal(runs.length, second.length);
    assert.equal(new Set(second).size, second.length);
    for (const event of runs) assert.deepEqual(past.get(event.id), event);
  });

  test('what is new to a poll comes first, and what was there stays as it was', async () => {
    const poll = () => run(App.triggers.new_reading_poll.operation.perform, { inputData });
    const earlier = await poll();
    await zapier.waitFor(one.path, ({ id }) => earlier.every((event) => event.id !== id));
    const later = await poll();
    assert.ok(later.length > earlier.length);
    assert.deepEqual(later.slice(-earlier.length), earlier);
  });

  test('what is signed for one Zap, or changed on the way, or not signed, stops a run and not the Zap', async () => {
    const [arrived] = zapier.at(one.path);
    const changed = { ...arrived.rawRequest, content: arrived.rawRequest.content.replace('"is_sample":false', '"is_sample":true ') };
    const unsigned = { ...arrived.rawRequest, headers: {} };
    const halted = { name: 'HaltedError' };
    await assert.rejects(perform(key, two, arrived), halted);
    await assert.rejects(perform(key, one, { ...arrived, rawRequest: changed }), halted);
    await assert.rejects(perform(key, one, { ...arrived, rawRequest: unsigned }), halted);
    await assert.rejects(perform(key, one, { cleanedRequest: arrived.cleanedRequest }), halted);
  });

  test('off and on again makes a new subscription, also at the same address', async () => {
    await switchOff(key, one);
    const again = await switchOn(key, '/zaps/three', inputData);
    const repeated = await switchOn(key, '/zaps/three', inputData);
    const ids = [one, two, again, repeated].map(({ subscribeData }) => subscribeData.id);
    assert.equal(new Set(ids).size, 4);
    const before_ = zapier.at(again.path).length;
    const arrived = (await zapier.wait(again.path, before_ + 1, 60)).at(-1);
    assert.equal((await perform(key, repeated, arrived)).length, 1);
    await Promise.all([two, again, repeated].map((zap) => switchOff(key, zap)));
    assert.deepEqual((await api('market', `/v1/hooks?event=${key}`)).data, []);
  });
});

describe('one run for all', { skip }, () => {
  const key = 'events_bundled';
  const inputData = { trigger: 'new_reading', watch: 'top', top: '20', source: 'trader_grades' };

  test('a reading of many tokens is one run, as the poll and the feed have it, with line items and a text', async () => {
    const poll = () => run(App.triggers.events_bundled_poll.operation.perform, { inputData });
    await poll(); // a feed begins with what its scope holds then, and from here on both are told of the same
    const zap = await switchOn(key, '/zaps/bundled', inputData);
    const arrived = await zapier.wait(zap.path, 2, 60);
    const runs = (await Promise.all(arrived.map((one) => perform(key, zap, one)))).flat();
    const polled = await poll();
    const past = new Map(polled.map((bundle) => [bundle.id, bundle]));
    for (const bundle of runs) {
      assert.deepEqual(past.get(bundle.id), bundle);
      assert.deepEqual(Object.keys(bundle), Object.keys(operation(key).sample));
      assert.equal(bundle.count, bundle.events.length);
      assert.ok(bundle.discord_text.length <= 2000);
    }
    assert.ok(Math.max(...runs.map(({ count }) => count)) > 5);
    assert.equal(new Set(polled.map(({ id }) => id)).size, polled.length);
    const one = await perform(key, { ...zap, inputData: { ...inputData, trigger: 'grade_changed' } }, arrived[0]);
    assert.deepEqual(one, []);
    const listed = await run(operation(key).performList, { inputData });
    assert.deepEqual(Object.keys(listed[0]), Object.keys(runs[0]));
    await switchOff(key, zap);
  });

  test('where nothing has happened the editor is shown one that says it is made up, and a poll is empty', async () => {
    const nothing = { trigger: 'token_delisted' };
    const poll = App.triggers.events_bundled_poll.operation.perform;
    assert.deepEqual(await run(poll, { inputData: nothing }), []);
    for (const shown of [
      await run(poll, { inputData: nothing, meta: { isLoadingSample: true } }),
      await run(operation(key).performList, { inputData: nothing }),
    ]) {
      assert.deepEqual(shown.map((bundle) => bundle.is_sample), [true]);
    }
  });
});

describe('the seed workflow in two steps', { skip }, () => {
  test('one event of Hyperliquid has every number that a prompt or a post needs, and the post itself', async () => {
    const inputData = { watch: 'tokens', tokens: ['HYPE'], source: 'quantmetrics' };
    const zap = await switchOn('new_reading', '/zaps/seed', inputData);
    const numbers = ['sharpe', 'daily_value_at_risk', 'max_drawdown', 'volatility', 'valuation_grade'];
    const whole = (event) => numbers.every((name) => event[name] !== null) && event.momentum;
    const arrived = await zapier.waitFor(zap.path, whole);
    const [event] = await perform('new_reading', zap, arrived);
    assert.deepEqual([event.subject_name, event.source], ['Hyperliquid', 'quantmetrics']);
    for (const name of numbers) {
      assert.equal(typeof event[name], 'number', name);
      assert.equal(event.snapshot[name].value, event[name], name);
    }
    assert.equal(typeof event.momentum, 'string');
    for (const said of ['Hyperliquid', 'Sharpe', 'Value at risk', 'Momentum', 'drawdown', 'Volatility', 'Valuation']) {
      assert.ok(event.discord_text.includes(said), said);
    }
    assert.ok(event.discord_text.length <= 2000);
    await switchOff('new_reading', zap);
  });
});
