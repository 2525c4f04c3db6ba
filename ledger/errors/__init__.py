"""Faults of the ledger: what the law refuses, and why.

LedgerFault
+-- Unincludable      a proposer leaves it out; a block that holds it is invalid
|     WrongChain, BadPolicy, BadPlaces, BadSignature, FeeTooLow, TransactionExpired,
|     BadNonce, CannotPayFee, SenderFrozen
+-- Refused           pays its fee, uses its nonce, and is recorded as failed
|   +-- CountOverflow
|   +-- MoneyRefused
|   |     ZeroUnits, ClosedAccount, TooLittleMoney, RedeemsTooMuch, UnorderedBasket, UnknownLot,
|   |     ExpiredLot, ShortLot
|   +-- RegistryRefused
|   |     RoleMissing, KnownDevice, UnknownInstrument, WrongFlowMax, CalibrationOver, OwnRole,
|   |     OwnAccount, OwnCause, RoleHeld, RoleNotHeld, CountedRoleBounds, DeviceUnregistered,
|   |     DeviceRevoked
|   +-- EvidenceRefused
|   |     BadShelfLife, UnknownDevice, ForeignDevice, ForeignOperator, WrongInstrument,
|   |     BadEnvelope, ForeignEnvelope, UnorderedEnvelopes, Tampered, OutsideRun,
|   |     WrongStream, WrongUnit, FallingTotal, UsedReadings, CollectionOverMeter, TooFast,
|   |     WrongProcess, UnknownAttestor, UnorderedAttestors, TooFewAttestors, SupplyOverflow
|   +-- LineRefused
|   |     ForeignPlant, KnownLine, UnknownLine, FlowOrVat, SharedVat, UnorderedDevices,
|   |     NoPlace, DeviceTaken, DeviceStopped, WrongPlaces, LineFull, NotOnLine, NothingAmended,
|   |     FutureStop, StoppedAlready, NotStopped, NoTampering, ClearedReport, NumberBefore,
|   |     PermitTooLong, NoPermit, TooManyTerms
|   +-- StakingRefused
|   |     KnownValidator, KnownOwner, UnsoundKey, UnknownValidator, ForeignValidator, EmptyStake,
|   |     StakeTooSmall, ShortStake, NothingUnbonded, Immature, NoRewards, NotJailed, StillJailed,
|   |     NoFault, EvidenceTooOld, NotAMember, KnownOffence, NothingAtStake
|   +-- MilkRefused
|   |     UnknownTank, ForeignTank, ShortTank, ForeignLot, UnsoundLot, FreshLot,
|   |     DeficitOpen, LowBond, ShortBond, ShortReserve, LowDeposit, ChallengedAlready,
|   |     NotChallenged, FalseUnitsOverLot
|   +-- WindowRefused
|   |     ForeignLine, WrongWindow, WrongDevices, BadReading, UnlinkedReading, WrongTip,
|   |     Unreached, WrongSilence, BadIntervals, UnwatchedInterval, BadSample, TamperedReading,
|   |     IntervalTooFast, WrongFates, WrongVat, WindowOverFlow, WrongRoot, ShareLocked, NoShare
|   +-- TankRefused
|   |     SmallCollection, LongCollection, OutOfForce, NotPermitted, DayFull, TooManyGaps,
|   |     TooManyPortions, SameTank, LargeMove, RiseUnexplained, LevelAgainstFlow
|   +-- DoubtRefused
|   |     UnprovenLot, WindowOver, UnknownInterval, VoidInterval, UnclaimedReading,
|   |     NothingRefuted, OpenQuestion, TooManyQuestions, UnknownQuestion, NoAnswer,
|   |     AnswerPending, BoundBond
|   +-- PriceRefused
|   |     TooFewFeeders, WrongRound, FedAlready, NoPrice, StalePrice
|   +-- MarketRefused
|   |     UnknownOffer, OfferOver, ShortOffer, OwnOffer, DearDeal, UnknownDeal, ForeignDeal,
|   |     NotYetReleased, BuyerFrozen, DealDisputed, DealUndisputed, RulingOverDeal
|   +-- MandateRefused
|   |     UnknownMandate, ForeignMandate, PayerFrozen, MandateOver, PeriodCharged,
|   |     OverChargeCap, OverTotalCap
|   +-- GovernanceRefused
|   |     UnknownParameter, OutOfBounds, PastHeight, TooManyChanges
+-- BundleFault       readings that do not prove what is claimed of them
|     BrokenLink, UnsignedEnvelope, UnheardDevice, UnfitWindow, ClaimDiffers, UnreportedTamper
+-- BadGenesis        a genesis file that can't begin a chain
+-- StoreFault        a store that can't be used as asked
      ForeignStore, LockedStore, WrongSchema, EmptyStore, MissingStore, DamagedStore,
      PrunedBlock, UnknownSubject, NoMilkBehind

One module a family, from which a fault is imported: `ledger.errors.market`. `ledger.errors.base`
has the roots, what keeps a transaction out of every block, and `InvariantBroken`, which is no
fault: it says that the ledger itself is wrong, and nothing may go on. Each fault has a stable
`code`, and the `numbers` that explain it.
"""
