"""List the instruments of the stand-in exchange, and the products they trade.

The rows are those of GetInstruments and GetProducts at https://alphapoint.github.io/slate/, with the keys
that public clients read besides [3P]. Ids 1, 3 and 74 are NDAX's; the other ids are invented.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

#: Smallest part of anything traded here.
SATOSHI = Decimal("0.00000001")

#: Smallest part of a dollar.
CENT = Decimal("0.01")

#: A sum that is nothing, as the wire has it.
NOTHING = Decimal("0.0")


@dataclass(frozen=True)
class Product:
    """Name what is traded, or paid with."""

    id: int
    symbol: str
    name: str
    tick: Decimal = SATOSHI
    national: bool = False


@dataclass(frozen=True)
class Instrument:
    """Name a pair of products."""

    id: int
    base: Product
    quote: Product

    @property
    def symbol(self) -> str:
        """Write the pair as one word."""
        return self.base.symbol + self.quote.symbol


_BTC = Product(1, "BTC", "Bitcoin")
_ETH = Product(2, "ETH", "Ethereum")
_CAD = Product(3, "CAD", "Canadian Dollar", CENT, national=True)
_USD = Product(4, "USD", "US Dollar", CENT, national=True)

PRODUCTS = (_BTC, _ETH, _CAD, _USD)

INSTRUMENTS = (Instrument(1, _BTC, _CAD), Instrument(3, _ETH, _CAD), Instrument(74, _BTC, _USD))

_BY_NAME = {instrument.symbol: instrument for instrument in INSTRUMENTS} | {
    str(instrument.id): instrument for instrument in INSTRUMENTS
}


def instrument_named(name: str) -> Instrument | None:
    """Find an instrument by its symbol, in any case, or by its id."""
    return _BY_NAME.get(name.strip().upper())


def symbol_of(name: str) -> str | None:
    """Give the symbol of what a symbol or an id names."""
    instrument = instrument_named(name)
    return instrument.symbol if instrument else None


def instrument_row(oms_id: int, instrument: Instrument) -> dict[str, object]:
    """Show an instrument."""
    return {
        "OMSId": oms_id,
        "InstrumentId": instrument.id,
        "Symbol": instrument.symbol,
        "Product1": instrument.base.id,
        "Product1Symbol": instrument.base.symbol,
        "Product2": instrument.quote.id,
        "Product2Symbol": instrument.quote.symbol,
        "InstrumentType": "Standard",
        "VenueInstrumentId": instrument.id,
        "VenueId": 1,
        "SortIndex": 0,
        "SessionStatus": "Running",
        "PreviousSessionStatus": "Stopped",
        "SessionStatusDateTime": "2026-11-01T00:00:00.000Z",
        "SelfTradePrevention": True,
        "QuantityIncrement": instrument.base.tick,
        "PriceIncrement": instrument.quote.tick,
        "MinimumQuantity": Decimal("0.0001"),
        "MinimumPrice": instrument.quote.tick,
        "VenueSymbol": instrument.symbol,
        "IsDisable": False,
        "MasterDataId": 0,
        "PriceCollarThreshold": NOTHING,
        "PriceCollarPercent": NOTHING,
        "PriceCollarEnabled": False,
        "PriceFloorLimit": NOTHING,
        "PriceFloorLimitEnabled": False,
        "PriceCeilingLimit": NOTHING,
        "PriceCeilingLimitEnabled": False,
        "CreateWithMarketRunning": True,
        "AllowOnlyMarketMakerCounterParty": False,
        "PriceCollarIndexDifference": NOTHING,
        "PriceCollarConvertToOtcEnabled": False,
        "PriceCollarConvertToOtcClientUserId": 0,
        "PriceCollarConvertToOtcAccountId": 0,
        "PriceCollarConvertToOtcThreshold": NOTHING,
        "OtcConvertSizeThreshold": NOTHING,
        "OtcConvertSizeEnabled": False,
        "OtcTradesPublic": True,
        "PriceTier": 0,
    }


def product_row(oms_id: int, product: Product) -> dict[str, object]:
    """Show a product."""
    return {
        "OMSId": oms_id,
        "ProductId": product.id,
        "Product": product.symbol,
        "ProductFullName": product.name,
        "MasterDataUniqueProductSymbol": "",
        "ProductType": "NationalCurrency" if product.national else "CryptoCurrency",
        "DecimalPlaces": -int(product.tick.as_tuple().exponent),
        "TickSize": product.tick,
        "DepositEnabled": True,
        "WithdrawEnabled": True,
        "NoFees": False,
        "IsDisabled": False,
        "MarginEnabled": False,
    }
