"""Home Assistant with its MQTT integration and nothing else: `house.py PORT` connects to the broker on this port of the machine.

What it prints first is the port at which a test asks it, one JSON document a line:
{"do": "states"}, {"do": "call", "service": "switch.turn_off", "entity": "switch.x", "data": {}}, {"do": "log"}.
"""

import asyncio
import importlib.abc
import importlib.machinery
import json
import logging
import sys
import tempfile
import types
from pathlib import Path
from types import MappingProxyType
from unittest.mock import MagicMock

# What the integration imports and does not need: the cloud, the supervisor, Bluetooth.
ELSEWHERE = ("habluetooth", "hass_nabucasa", *(f"homeassistant.components.{name}" for name in ("backup", "cloud", "hassio")))


class Elsewhere(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Modules whose classes are empty and whose functions do nothing."""

    def find_spec(self, name, path=None, target=None):
        if any(name == root or name.startswith(root + ".") for root in ELSEWHERE):
            return importlib.machinery.ModuleSpec(name, self, is_package=True)

    def create_module(self, spec):
        module = types.ModuleType(spec.name)
        module.__getattr__ = lambda name: type(name, (), {}) if name[:1].isupper() else MagicMock()
        return module

    def exec_module(self, module):
        module.__path__ = []


sys.meta_path.insert(0, Elsewhere())

from homeassistant import config_entries, core, loader  # noqa: E402
from homeassistant.helpers import (  # noqa: E402
    area_registry,
    category_registry,
    condition,
    device_registry,
    entity,
    entity_registry,
    floor_registry,
    frame,
    issue_registry,
    label_registry,
    restore_state,
    template,
    translation,
    trigger,
)
from homeassistant.helpers.storage import get_internal_store_manager  # noqa: E402

REGISTRIES = (
    area_registry,
    category_registry,
    device_registry,
    entity_registry,
    floor_registry,
    issue_registry,
    label_registry,
    restore_state,
)


class Log(logging.Handler):
    """Whatever Home Assistant warns of."""

    lines = []

    def emit(self, record):
        Log.lines.append(f"{record.levelname} {record.name}: {record.getMessage()}")


async def house(folder, port):
    """As `homeassistant.bootstrap` does it, without what a house has besides."""
    (Path(folder) / "configuration.yaml").touch()
    hass = core.HomeAssistant(folder)
    loader.async_setup(hass)
    hass.config.skip_pip = True
    hass.config_entries = config_entries.ConfigEntries(hass, {})
    await loader.async_get_custom_components(hass)
    for part in (entity, frame, template, translation, device_registry):
        part.async_setup(hass)
    await asyncio.gather(
        get_internal_store_manager(hass).async_initialize(),
        *(registry.async_load(hass, load_empty=False) for registry in REGISTRIES),
        hass.config_entries.async_initialize(),
        condition.async_setup(hass),
        trigger.async_setup(hass),
    )
    for name in ("file_upload", "hassio", "http"):
        hass.config.components.add(name)
    # What has a picture offers it there.
    hass.http = MagicMock()
    hass.set_state(core.CoreState.running)
    entry = config_entries.ConfigEntry(
        version=2,
        minor_version=1,
        domain="mqtt",
        title="MQTT",
        data={"broker": "127.0.0.1", "port": port, "protocol": "5"},
        options={"discovery": True},
        source="user",
        unique_id=None,
        discovery_keys=MappingProxyType({}),
        subentries_data=(),
    )
    await hass.config_entries.async_add(entry)
    if entry.state is not config_entries.ConfigEntryState.LOADED:
        raise SystemExit(f"the integration is {entry.state}: {entry.reason}; {Log.lines}")
    return hass


async def answer(hass, asked):
    match asked["do"]:
        case "states":
            await hass.async_block_till_done()
            return {state.entity_id: state.as_dict() for state in hass.states.async_all()}
        case "call":
            domain, service = asked["service"].split(".")
            data = {"entity_id": asked["entity"], **asked.get("data", {})}
            await hass.services.async_call(domain, service, data, blocking=True)
            return {}
        case "log":
            return Log.lines


async def main(port):
    with tempfile.TemporaryDirectory() as folder:
        hass = await house(folder, port)

        async def serve(reader, writer):
            while line := await reader.readline():
                said = json.dumps(await answer(hass, json.loads(line)), default=str)
                writer.write(said.encode() + b"\n")
                await writer.drain()

        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        print(server.sockets[0].getsockname()[1], flush=True)
        await server.serve_forever()


logging.getLogger().addHandler(Log(logging.WARNING))
asyncio.run(main(int(sys.argv[1])))
