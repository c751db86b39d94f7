'use strict';

// Every trigger against a running Gradewire with a sandbox market: subscribe, event, signed hook, perform, unsubscribe.

const assert = require('node:assert/strict');
const { after, before, describe, test } = require('node:test');
const { triggers } = require('../catalogue.json');
const { CatchHook, api, appAt, skip, someone, zaps } = require('./helpers');

const { App, run } = appAt('live');
const zapier = new CatchHook();
const { operation, perform, switchOff, switchOn } = zaps(App, run, zapier);

before(() => zapier.open());
after(() => zapier.close());

describe('each trigger', { concurrency: 4, skip }, () => {
  for (const trigger of triggers) {
    test(`${trigger.key}: subscribe, event, signed hook, perform, unsubscribe`, async () => {
      const zap = await switchOn(trigger.key, `/hooks/${trigger.key}`, someone(trigger));
      assert.deepEqual(Object.keys(zap.subscribeData), ['id', 'event', 'target_url', 'secret']);
      const hook = await api('live', `/v1/hooks/${zap.subscribeData.id}`);
      assert.deepEqual([hook.status, hook.data.event, hook.data.corrections], [200, trigger.key, false]);

      const fired = await api('live', '/v1/events/test', { trigger: trigger.key, subscription_id: zap.subscribeData.id });
      assert.equal(fired.status, 201, JSON.stringify(fired.data));
      const arrived = await zapier.waitFor(zap.path, ({ id }) => id === fired.data.event.id);
      const runs = await perform(trigger.key, zap, arrived);
      assert.deepEqual(runs, [fired.data.event]);

      const listed = await run(operation(trigger.key).performList, zap);
      assert.ok(listed.length >= 1 && listed.length <= 3);
      const promised = trigger.payload.map(({ key }) => key).sort();
      for (const object of [runs[0], trigger.sample, ...listed]) assert.deepEqual(Object.keys(object).sort(), promised);

      for (let times = 0; times < 2; times += 1) await switchOff(trigger.key, zap);
      assert.equal((await api('live', `/v1/hooks/${zap.subscribeData.id}`)).status, 404);
    });

    test(`${trigger.key}: its polling twin shows what the instant one does`, async () => {
      const inputData = someone(trigger);
      const twin = App.triggers[`${trigger.key}_poll`].operation;
      const [shown, listed] = [
        await run(twin.perform, { inputData, meta: { isLoadingSample: true } }),
        await run(operation(trigger.key).performList, { inputData, meta: { isLoadingSample: true } }),
      ];
      assert.ok(shown.length >= 1 && shown.length <= 3);
      assert.deepEqual(Object.keys(shown[0]).sort(), Object.keys(listed[0]).sort());
      const first = await run(twin.perform, { inputData, meta: { isPopulatingDedupe: true } });
      assert.equal(new Set(first.map(({ id }) => id)).size, first.length);
      assert.ok(first.every((event) => !event.is_sample && event.trigger === trigger.key));
    });
  }
});
