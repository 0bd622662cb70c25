//! The two protocols that give a program without a window the clipboard. They
//! are the same but for their names.

use std::ops::RangeInclusive;
use std::os::fd::{BorrowedFd, OwnedFd};

use wayland_client::backend::ObjectId;
use wayland_client::protocol::wl_registry::WlRegistry;
use wayland_client::protocol::wl_seat::WlSeat;
use wayland_client::{Connection, Dispatch, Proxy, QueueHandle, event_created_child};
use wayland_protocols::ext::data_control::v1::client as ext;
use wayland_protocols_wlr::data_control::v1::client as wlr;

use crate::Selection;

/// What the compositor has told.
#[derive(Default)]
pub(super) struct State {
    pub(super) globals: Globals,
    /// The compositor has answered everything up to the last question.
    pub(super) is_synchronous: bool,
    offers: Vec<(ObjectId, Offer)>,
    clipboard: Option<ObjectId>,
    primary: Option<ObjectId>,
    /// Who wants to be told the text, as which type and through which pipe.
    pub(super) requests: Vec<(String, OwnedFd)>,
    /// Something else is on the clipboard than what this program offered.
    pub(super) is_cancelled: bool,
}

/// What the compositor has: number, interface and newest version.
#[derive(Default)]
pub(super) struct Globals(pub(super) Vec<(u32, String, u32)>);

impl Globals {
    /// The first object of this interface, if its version is recent enough.
    pub(super) fn bind<I>(
        &self,
        registry: &WlRegistry,
        handle: &QueueHandle<State>,
        versions: RangeInclusive<u32>,
    ) -> Option<I>
    where
        I: Proxy + 'static,
        State: Dispatch<I, ()>,
    {
        let (name, _, newest) = self.0.iter().find(|one| one.1 == I::interface().name)?;
        let version = *versions.end().min(newest);
        (version >= *versions.start()).then(|| registry.bind(*name, version, handle, ()))
    }
}

impl State {
    /// What a clipboard holds; `None` if nothing.
    pub(super) fn offer(&self, selection: Selection) -> Option<&Offer> {
        let wanted = match selection {
            Selection::Clipboard => &self.clipboard,
            Selection::Primary => &self.primary,
        };
        let wanted = wanted.as_ref()?;
        self.offers.iter().find(|(id, _)| id == wanted).map(|(_, offer)| offer)
    }

    fn types_of(&mut self, id: &ObjectId) -> Option<&mut Vec<String>> {
        self.offers.iter_mut().find(|(known, _)| known == id).map(|(_, offer)| &mut offer.types)
    }
}

/// Something that can be pasted.
pub(super) struct Offer {
    proxy: OfferProxy,
    /// As what, in the order of its owner.
    pub(super) types: Vec<String>,
}

/// Makes an enum with a variant for each protocol, and what they have in common.
macro_rules! protocols {
    ($($variant:ident: $client:ident {
        $manager:ident $Manager:ident, $device:ident $Device:ident,
        $source:ident $Source:ident, $offer:ident $Offer:ident, $newest:literal
    })*) => {
        /// The clipboards of a seat.
        pub(super) enum Control {
            $($variant($client::$manager::$Manager, $client::$device::$Device),)*
        }

        enum OfferProxy {
            $($variant($client::$offer::$Offer),)*
        }

        impl Control {
            /// The first protocol that the compositor has, in a version that is recent enough.
            pub(super) fn bind(
                globals: &Globals,
                registry: &WlRegistry,
                handle: &QueueHandle<State>,
                seat: &WlSeat,
                oldest: u32,
            ) -> Option<Self> {
                $(
                    let oldest_here = oldest.min($newest);
                    if let Some(manager) = globals.bind::<$client::$manager::$Manager>(
                        registry, handle, oldest_here..=$newest
                    ) {
                        let device = manager.get_data_device(seat, handle, ());
                        return Some(Self::$variant(manager, device));
                    }
                )*
                None
            }

            /// Offers text of these types.
            pub(super) fn set(
                &self, handle: &QueueHandle<State>, selection: Selection, types: &[String],
            ) {
                match self {
                    $(Self::$variant(manager, device) => {
                        let source = manager.create_data_source(handle, ());
                        for name in types {
                            source.offer(name.clone());
                        }
                        match selection {
                            Selection::Clipboard => device.set_selection(Some(&source)),
                            Selection::Primary => device.set_primary_selection(Some(&source)),
                        }
                    })*
                }
            }
        }

        impl Offer {
            /// Asks its owner to write it, as this type, to a pipe.
            pub(super) fn receive(&self, name: &str, pipe: BorrowedFd) {
                match &self.proxy {
                    $(OfferProxy::$variant(offer) => offer.receive(name.to_owned(), pipe),)*
                }
            }
        }

        $(
            impl Dispatch<$client::$manager::$Manager, ()> for State {
                fn event(
                    _: &mut Self,
                    _: &$client::$manager::$Manager,
                    _: $client::$manager::Event,
                    (): &(),
                    _: &Connection,
                    _: &QueueHandle<Self>,
                ) {
                }
            }

            impl Dispatch<$client::$device::$Device, ()> for State {
                fn event(
                    state: &mut Self,
                    _: &$client::$device::$Device,
                    event: $client::$device::Event,
                    (): &(),
                    _: &Connection,
                    _: &QueueHandle<Self>,
                ) {
                    use $client::$device::Event;

                    match event {
                        Event::DataOffer { id: proxy } => {
                            let id = proxy.id();
                            let proxy = OfferProxy::$variant(proxy);
                            state.offers.push((id, Offer { proxy, types: Vec::new() }));
                        }
                        Event::Selection { id } => state.clipboard = id.map(|offer| offer.id()),
                        Event::PrimarySelection { id } => {
                            state.primary = id.map(|offer| offer.id());
                        }
                        _ => {}
                    }
                }

                event_created_child!(State, $client::$device::$Device, [
                    $client::$device::EVT_DATA_OFFER_OPCODE => ($client::$offer::$Offer, ()),
                ]);
            }

            impl Dispatch<$client::$offer::$Offer, ()> for State {
                fn event(
                    state: &mut Self,
                    offer: &$client::$offer::$Offer,
                    event: $client::$offer::Event,
                    (): &(),
                    _: &Connection,
                    _: &QueueHandle<Self>,
                ) {
                    if let $client::$offer::Event::Offer { mime_type } = event
                        && let Some(types) = state.types_of(&offer.id())
                    {
                        types.push(mime_type);
                    }
                }
            }

            impl Dispatch<$client::$source::$Source, ()> for State {
                fn event(
                    state: &mut Self,
                    _: &$client::$source::$Source,
                    event: $client::$source::Event,
                    (): &(),
                    _: &Connection,
                    _: &QueueHandle<Self>,
                ) {
                    use $client::$source::Event;

                    match event {
                        Event::Send { mime_type, fd } => state.requests.push((mime_type, fd)),
                        Event::Cancelled => state.is_cancelled = true,
                        _ => {}
                    }
                }
            }
        )*
    };
}

protocols! {
    Ext: ext {
        ext_data_control_manager_v1 ExtDataControlManagerV1,
        ext_data_control_device_v1 ExtDataControlDeviceV1,
        ext_data_control_source_v1 ExtDataControlSourceV1,
        ext_data_control_offer_v1 ExtDataControlOfferV1, 1
    }
    Wlr: wlr {
        zwlr_data_control_manager_v1 ZwlrDataControlManagerV1,
        zwlr_data_control_device_v1 ZwlrDataControlDeviceV1,
        zwlr_data_control_source_v1 ZwlrDataControlSourceV1,
        zwlr_data_control_offer_v1 ZwlrDataControlOfferV1, 2
    }
}
