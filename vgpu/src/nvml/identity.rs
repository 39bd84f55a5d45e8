//! What a card is: names, numbers, buses, modes.

use std::ffi::{c_char, c_int, c_uint};

use super::calls::{device_calls, set, set_text};
use super::card::Card;
use super::scenario::Mig;
use super::status::Status;
use crate::driver::ffi::Out;
use crate::profile::{Architecture, Market, rates};

/// `nvmlPciInfo_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // NVML's names
pub struct PciInfo {
    pub bus_id_legacy: [c_char; 16],
    pub domain: c_uint,
    pub bus: c_uint,
    pub device: c_uint,
    pub pci_device_id: c_uint,
    pub pci_sub_system_id: c_uint,
    pub bus_id: [c_char; 32],
}

device_calls! {
    /// Its name.
    fn nvmlDeviceGetName(desk, text: Out<c_char>, length: c_uint) {
        set_text(text, length, &desk.card.profile.display_name())
    }

    /// Its UUID, such as `GPU-…`.
    fn nvmlDeviceGetUUID(desk, text: Out<c_char>, length: c_uint) {
        set_text(text, length, &desk.card.uuid_text())
    }

    /// Its serial number; consumer cards have none.
    fn nvmlDeviceGetSerial(desk, text: Out<c_char>, length: c_uint) {
        if desk.card.profile.market == Market::Consumer {
            return Err(Status::NotSupported);
        }
        set_text(text, length, &serial(desk.card))
    }

    /// Its board's part number: made up.
    fn nvmlDeviceGetBoardPartNumber(desk, text: Out<c_char>, length: c_uint) {
        set_text(text, length, &format!("VIRTUAL-{}", desk.card.profile.key))
    }

    /// Its firmware's version: made up.
    fn nvmlDeviceGetVbiosVersion(_desk, text: Out<c_char>, length: c_uint) {
        set_text(text, length, "00.00.00.00.00")
    }

    /// Its place.
    fn nvmlDeviceGetIndex(desk, index: Out<c_uint>) {
        set(index, desk.card.index as c_uint)
    }

    /// The number in `/dev/nvidia…`.
    fn nvmlDeviceGetMinorNumber(desk, number: Out<c_uint>) {
        set(number, desk.card.index as c_uint)
    }

    /// `nvmlBrandType_t`.
    fn nvmlDeviceGetBrand(desk, brand: Out<c_uint>) {
        set(brand, match (desk.card.profile.market, desk.card.profile.architecture) {
            (Market::Consumer, _) => 15,  // GeForce RTX
            (Market::Titan, _) => 16,     // Titan RTX
            (Market::Workstation, _) => 13, // NVIDIA RTX
            (Market::Datacentre, Architecture::Pascal | Architecture::Volta | Architecture::Turing) => 2, // Tesla
            (Market::Datacentre, _) => 14, // NVIDIA
        })
    }

    /// `nvmlDeviceArchitecture_t`.
    fn nvmlDeviceGetArchitecture(desk, architecture: Out<c_uint>) {
        set(architecture, match desk.card.profile.architecture {
            Architecture::Pascal => 4,
            Architecture::Volta => 5,
            Architecture::Turing => 6,
            Architecture::Ampere => 7,
            Architecture::Ada => 8,
            Architecture::Hopper => 9,
            Architecture::Blackwell => 10,
        })
    }

    /// Compute capability.
    fn nvmlDeviceGetCudaComputeCapability(desk, major: Out<c_int>, minor: Out<c_int>) {
        set(major, desk.card.profile.compute.0 as c_int)?;
        set(minor, desk.card.profile.compute.1 as c_int)
    }

    /// CUDA cores: FP32 lanes.
    fn nvmlDeviceGetNumGpuCores(desk, cores: Out<c_uint>) {
        set(cores, desk.card.profile.sms * (rates(desk.card.profile).fp32 / 2.0) as c_uint)
    }

    /// Memory bus, bits.
    fn nvmlDeviceGetMemoryBusWidth(desk, bits: Out<c_uint>) {
        set(bits, desk.card.profile.bus_bits)
    }

    /// Its place on the bus.
    fn nvmlDeviceGetPciInfo_v3(desk, info: Out<PciInfo>) {
        let (id, device) = (desk.card.bus_id(), u32::from(desk.card.profile.pci_device));
        set(info, PciInfo {
            bus_id_legacy: text_bytes(&id),
            domain: 0,
            bus: crate::profile::bus_number(desk.card.index) as c_uint,
            device: 0,
            pci_device_id: device << 16 | 0x10de,
            pci_sub_system_id: device << 16 | 0x10de,
            bus_id: text_bytes(&format!("0000{id}")),
        })
    }

    /// PCI express generation.
    fn nvmlDeviceGetCurrPcieLinkGeneration(desk, generation: Out<c_uint>) {
        set(generation, desk.card.profile.pcie)
    }

    /// The same.
    fn nvmlDeviceGetMaxPcieLinkGeneration(desk, generation: Out<c_uint>) {
        set(generation, desk.card.profile.pcie)
    }

    /// Sixteen lanes.
    fn nvmlDeviceGetCurrPcieLinkWidth(_desk, width: Out<c_uint>) {
        set(width, 16)
    }

    /// Sixteen lanes.
    fn nvmlDeviceGetMaxPcieLinkWidth(_desk, width: Out<c_uint>) {
        set(width, 16)
    }

    /// Whether the card is cut into instances, now and after a reset.
    fn nvmlDeviceGetMigMode(desk, current: Out<c_uint>, pending: Out<c_uint>) {
        let mode = match desk.card.scenario.mig {
            Mig::Unsupported => return Err(Status::NotSupported),
            Mig::Disabled => 0,
            Mig::Enabled => 1,
        };
        set(current, mode)?;
        set(pending, mode)
    }

    /// Seven where there are instances.
    fn nvmlDeviceGetMaxMigDeviceCount(desk, count: Out<c_uint>) {
        set(count, if desk.card.scenario.mig == Mig::Unsupported { 0 } else { 7 })
    }

    /// No handle here is an instance's.
    fn nvmlDeviceIsMigDeviceHandle(_desk, is: Out<c_uint>) {
        set(is, 0)
    }

    /// No instance can be named.
    fn nvmlDeviceGetMigDeviceHandleByIndex(_desk, _index: c_uint, _instance: Out<u64>) {
        Err(Status::NotFound)
    }

    /// Whether the driver stays loaded.
    fn nvmlDeviceGetPersistenceMode(desk, mode: Out<c_uint>) {
        set(mode, desk.card.settings.persistence)
    }

    /// Sets it.
    fn nvmlDeviceSetPersistenceMode(desk, mode: c_uint) {
        desk.may_set()?;
        if mode > 1 {
            return Err(Status::InvalidArgument);
        }
        desk.card.settings.persistence = mode;
        Ok(())
    }

    /// `nvmlComputeMode_t`.
    fn nvmlDeviceGetComputeMode(desk, mode: Out<c_uint>) {
        set(mode, desk.card.settings.compute_mode)
    }

    /// Sets it. Nothing here depends on it.
    fn nvmlDeviceSetComputeMode(desk, mode: c_uint) {
        desk.may_set()?;
        if mode > 3 {
            return Err(Status::InvalidArgument);
        }
        desk.card.settings.compute_mode = mode;
        Ok(())
    }

    /// Whether memory corrects errors, now and after a reset.
    fn nvmlDeviceGetEccMode(desk, current: Out<c_uint>, pending: Out<c_uint>) {
        if !desk.card.profile.ecc() {
            return Err(Status::NotSupported);
        }
        set(current, 1)?;
        set(pending, 1)
    }

    /// No errors ever.
    fn nvmlDeviceGetTotalEccErrors(desk, _kind: c_uint, _counter: c_uint, count: Out<u64>) {
        if desk.card.profile.ecc() { set(count, 0) } else { Err(Status::NotSupported) }
    }

    /// No display is attached.
    fn nvmlDeviceGetDisplayMode(_desk, mode: Out<c_uint>) {
        set(mode, 0)
    }

    /// No display is attached.
    fn nvmlDeviceGetDisplayActive(_desk, active: Out<c_uint>) {
        set(active, 0)
    }

    /// Not virtualised, in NVML's sense.
    fn nvmlDeviceGetVirtualizationMode(_desk, mode: Out<c_uint>) {
        set(mode, 0)
    }
}

/// Ten digits made of the card and its place.
pub(super) fn serial(card: &Card) -> String {
    format!("{:08}{:02}", u32::from(card.profile.pci_device), card.index)
}

fn text_bytes<const N: usize>(text: &str) -> [c_char; N] {
    let mut bytes = [0; N];
    for (place, byte) in bytes.iter_mut().zip(text.bytes()).take(N - 1) {
        *place = byte as c_char;
    }
    bytes
}
